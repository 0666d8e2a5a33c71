/** The control values of the emulated hardware: a mask or a bandwidth for each resource, domain and CLOSID. */
import { formatMask, fullMask, intersect, lowestRun, popCount, unite, without } from '../masks.ts';
import type { ControlGroup } from './groups.ts';
import type { CompleteMachine } from './machine.ts';

export interface Schema {
  readonly name: string;
  readonly kind: 'cache' | 'bandwidth';
  readonly closids: number;
  /** With CDP: the other one of L3DATA and L3CODE, which shares the ways. */
  readonly peer: string | null;
}

const FULL_BANDWIDTH = 100;

/** In the order of the schemata file. */
export function schemasOf(machine: CompleteMachine, cdp: boolean): Schema[] {
  const closids = cdp ? machine.closids / 2 : machine.closids;
  const cache = (name: string, peer: string | null): Schema => ({ name, kind: 'cache', closids, peer });
  const bandwidth: Schema[] =
    machine.mba === null ? [] : [{ name: 'MB', kind: 'bandwidth', closids: machine.mba.closids, peer: null }];
  const caches = cdp ? [cache('L3DATA', 'L3CODE'), cache('L3CODE', 'L3DATA')] : [cache('L3', null)];
  return [...bandwidth, ...caches];
}

export class Controls {
  readonly schemas: readonly Schema[];
  readonly #machine: CompleteMachine;
  /** By resource, domain and CLOSID. What was never written is full. */
  readonly #values = new Map<string, number>();

  constructor(machine: CompleteMachine, cdp: boolean) {
    this.#machine = machine;
    this.schemas = schemasOf(machine, cdp);
  }

  get(schema: Pick<Schema, 'name' | 'kind'>, domain: number, closid: number): number {
    return this.#values.get(`${schema.name}:${domain}:${closid}`) ?? this.default(schema);
  }

  set(schema: Schema, domain: number, closid: number, value: number): void {
    this.#values.set(`${schema.name}:${domain}:${closid}`, value);
  }

  /** Everything that was ever written. */
  written(): [string, number][] {
    return [...this.#values];
  }

  restore(written: readonly (readonly [string, number])[]): void {
    for (const [key, value] of written) this.#values.set(key, value);
  }

  default(schema: Pick<Schema, 'kind'>): number {
    return schema.kind === 'bandwidth' ? FULL_BANDWIDTH : fullMask(this.#machine.ways);
  }

  /**
   * Whether `mask` shares a way with another group (`exclusive`: with one in exclusive mode; else also with I/O).
   * With CDP the peer's ways count too, but never the group's own.
   */
  overlaps(
    schema: Schema,
    domain: number,
    mask: number,
    closid: number,
    groups: Iterable<ControlGroup>,
    exclusive: boolean,
  ): boolean {
    if (!exclusive && intersect(mask, this.#machine.shareableBits) !== 0) return true;
    for (const group of groups) {
      if (group.closid === closid || (exclusive && group.mode !== 'exclusive')) continue;
      if (intersect(mask, this.#used(schema, domain, group.closid)) !== 0) return true;
    }
    return false;
  }

  /** What a new group gets: all that is shareable or unused, cut to its lowest run. */
  newMask(schema: Schema, domain: number, groups: Iterable<ControlGroup>): number {
    let shareable = this.#machine.shareableBits;
    let used = shareable;
    for (const group of groups) {
      const mask = this.#used(schema, domain, group.closid);
      used = unite(used, mask);
      if (group.mode === 'shareable') shareable = unite(shareable, mask);
    }
    return lowestRun(unite(shareable, without(fullMask(this.#machine.ways), used)));
  }

  /** `info/L3/bit_usage`, the highest way first. */
  formatBitUsage(schema: Schema, groups: Iterable<ControlGroup>): string {
    const all = [...groups];
    const fields = this.#machine.domains.map(({ id }) => {
      const maskOf = (mode: ControlGroup['mode']) =>
        all
          .filter((group) => group.mode === mode)
          .reduce((mask, group) => unite(mask, this.get(schema, id, group.closid)), 0);
      const [shared, exclusive] = [maskOf('shareable'), maskOf('exclusive')];
      let letters = '';
      for (let way = this.#machine.ways - 1; way >= 0; way--) {
        letters += usageOf(2 ** way, this.#machine.shareableBits, shared, exclusive);
      }
      return `${id}=${letters}`;
    });
    return `${fields.join(';')}\n`;
  }

  formatSchemata(closid: number): string {
    // Width of the widest resource, in the characters that its values need.
    const width = Math.max(Math.ceil(this.#machine.ways / 4), this.#machine.mba === null ? 0 : 3);
    return this.#formatLines((schema, domain) => {
      const value = this.get(schema, domain, closid);
      if (schema.kind === 'bandwidth') return String(value).padStart(width);
      return formatMask(value).padStart(width, '0');
    });
  }

  formatSizes(closid: number): string {
    return this.#formatLines((schema, domain) => {
      const value = this.get(schema, domain, closid);
      return String(schema.kind === 'bandwidth' ? value : popCount(value) * this.#machine.wayBytes);
    });
  }

  #formatLines(format: (schema: Schema, domain: number) => string): string {
    // A cache that could be split by CDP is written as wide as if it were.
    const nameWidth = Math.max(
      ...this.schemas.map(({ name }) => name.length + (name === 'L3' && this.#machine.cdpCapable ? 4 : 0)),
    );
    const lines = this.schemas.map((schema) => {
      const fields = this.#machine.domains.map(({ id }) => `${id}=${format(schema, id)}`);
      return `${schema.name.padStart(nameWidth)}:${fields.join(';')}\n`;
    });
    return lines.join('');
  }

  #used(schema: Schema, domain: number, closid: number): number {
    const own = this.get(schema, domain, closid);
    return schema.peer === null
      ? own
      : unite(own, this.get({ ...schema, name: schema.peer }, domain, closid));
  }
}

function usageOf(bit: number, byDevices: number, shared: number, exclusive: number): string {
  const [device, software] = [intersect(bit, byDevices) !== 0, intersect(bit, shared) !== 0];
  if (device) return software ? 'X' : 'H';
  if (software) return 'S';
  return intersect(bit, exclusive) !== 0 ? 'E' : '0';
}

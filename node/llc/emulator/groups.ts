/** The books of the emulated kernel: its groups, the numbers that they hold, and the status of the last command. */
import type { Clock } from '../../ports.ts';

const STATUS_BYTES = 512;

export interface ControlGroup {
  readonly kind: 'control';
  /** Empty for the root group. */
  readonly name: string;
  readonly closid: number;
  readonly rmid: number;
  mode: 'shareable' | 'exclusive';
  cpus: Set<number>;
  readonly monitors: Map<string, MonitorGroup>;
}

export interface MonitorGroup {
  readonly kind: 'monitor';
  readonly name: string;
  readonly rmid: number;
  readonly parent: ControlGroup;
  cpus: Set<number>;
}

export type Group = ControlGroup | MonitorGroup;

/** The lowest free number first; 0 is the root group's. */
export class Closids {
  readonly #used = new Set([0]);
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  take(): number | null {
    let closid = 0;
    while (this.#used.has(closid)) closid++;
    if (closid >= this.#count) return null;
    this.#used.add(closid);
    return closid;
  }

  /** Of a group that was there before. */
  hold(closid: number): void {
    this.#used.add(closid);
  }

  free(closid: number): void {
    this.#used.delete(closid);
  }
}

/**
 * An RMID whose lines are still in the cache can't be given to others: it is in limbo until they are evicted.
 * Here that takes `limboMs`, or until `cleanAll` is called.
 */
export class Rmids {
  readonly #free: number[];
  #limbo: { readonly rmid: number; readonly cleanAtMs: number }[] = [];
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #limboMs: number;
  /** Of `info/L3_MON/max_threshold_occupancy`: kept and shown, but of no effect here. */
  thresholdBytes: number;

  constructor(
    options: { readonly count: number; readonly limboMs: number; readonly thresholdBytes: number },
    clock: Pick<Clock, 'monotonicMs'>,
  ) {
    this.#free = Array.from({ length: Math.max(0, options.count - 1) }, (_, index) => index + 1);
    this.#limboMs = options.limboMs;
    this.thresholdBytes = options.thresholdBytes;
    this.#clock = clock;
  }

  /** EBUSY while waiting would help, ENOSPC when all are held. */
  take(): number | 'EBUSY' | 'ENOSPC' {
    this.#clean(this.#clock.monotonicMs());
    return this.#free.shift() ?? (this.#limbo.length > 0 ? 'EBUSY' : 'ENOSPC');
  }

  /** Of a group that was there before. */
  hold(rmid: number): void {
    const index = this.#free.indexOf(rmid);
    if (index >= 0) this.#free.splice(index, 1);
  }

  free(rmid: number): void {
    if (this.#limboMs <= 0) this.#free.push(rmid);
    else this.#limbo.push({ rmid, cleanAtMs: this.#clock.monotonicMs() + this.#limboMs });
  }

  cleanAll(): void {
    this.#clean(Number.POSITIVE_INFINITY);
  }

  get inLimbo(): number {
    this.#clean(this.#clock.monotonicMs());
    return this.#limbo.length;
  }

  #clean(nowMs: number): void {
    const { clean = [], dirty = [] } = Object.groupBy(this.#limbo, ({ cleanAtMs }) =>
      cleanAtMs <= nowMs ? 'clean' : 'dirty',
    );
    this.#free.push(...clean.map(({ rmid }) => rmid));
    this.#limbo = dirty;
  }
}

export const controlOf = (group: Group): ControlGroup => (group.kind === 'control' ? group : group.parent);

/** In the filesystem, without a leading slash. */
export function pathOf(group: Group): string {
  if (group.kind === 'control') return group.name;
  const parent = pathOf(group.parent);
  return `${parent === '' ? '' : `${parent}/`}mon_groups/${group.name}`;
}

/**
 * `info/last_cmd_status`: a buffer of 512 bytes that some commands clear and others only add to. A line that no
 * longer fits is dropped, and everything after it, until the buffer is cleared.
 */
export class LastCommandStatus {
  #text = '';
  #overflown = false;

  clear(): void {
    this.#text = '';
    this.#overflown = false;
  }

  add(line: string): void {
    const text = `${this.#text}${line}\n`;
    this.#overflown ||= Buffer.byteLength(text) >= STATUS_BYTES;
    if (!this.#overflown) this.#text = text;
  }

  read(): string {
    return this.#text === '' ? 'ok\n' : this.#text;
  }
}

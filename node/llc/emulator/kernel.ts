/** The state of the emulated kernel while resctrl is mounted, and what mkdir, rmdir and reading counters do to it. */
import type { Clock } from '../../ports.ts';
import { popCount } from '../masks.ts';
import type { Errno } from '../resctrl/port.ts';
import { Controls } from './controls.ts';
import {
  Closids,
  type ControlGroup,
  controlOf,
  type Group,
  type LastCommandStatus,
  type MonitorGroup,
  pathOf,
  type Rmids,
} from './groups.ts';
import type { CompleteMachine } from './machine.ts';
import type { CounterName, CounterSource, ProcessTable } from './processes.ts';
import { TaskAssignments } from './tasks.ts';

/** The kernel has room for so many CLOSIDs in its map. */
const MAX_CLOSIDS = 32;

export interface KernelParts {
  readonly machine: CompleteMachine;
  readonly cdp: boolean;
  readonly processes: ProcessTable;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly counters: CounterSource;
  /** Outlive a mount: the hardware's. */
  readonly rmids: Rmids;
  readonly status: LastCommandStatus;
}

export class MountedKernel {
  readonly parts: KernelParts;
  readonly controls: Controls;
  readonly online: ReadonlySet<number>;
  readonly root: ControlGroup;
  readonly tasks: TaskAssignments;
  readonly #closids: Closids;
  readonly #groups = new Map<string, ControlGroup>();

  constructor(parts: KernelParts) {
    this.parts = parts;
    this.controls = new Controls(parts.machine, parts.cdp);
    this.#closids = new Closids(
      Math.min(MAX_CLOSIDS, ...this.controls.schemas.map(({ closids }) => closids)),
    );
    this.online = new Set(parts.machine.domains.flatMap(({ cpus }) => cpus));
    this.root = newControlGroup('', 0, 0, this.online);
    this.tasks = new TaskAssignments(this.root, parts.processes);
    // The transcripts are of a kernel that clears its status at the end of mounting.
    parts.status.clear();
  }

  get monitors(): boolean {
    return this.parts.machine.rmids !== null;
  }

  /** The root group first. */
  groups(): ControlGroup[] {
    return [this.root, ...this.#groups.values()];
  }

  makeControlGroup(name: string): Errno | null {
    // Before the CLOSID, as the recorded kernel does: a refused group still sends an RMID to limbo.
    const rmid = this.#takeRmid();
    if (typeof rmid === 'string') return rmid;
    const closid = this.#closids.take();
    if (closid === null) {
      this.parts.status.add('Out of CLOSIDs');
      this.#freeRmid(rmid);
      return 'ENOSPC';
    }
    const errno = this.#initialize(closid);
    if (errno !== null) {
      this.#closids.free(closid);
      this.#freeRmid(rmid);
      return errno;
    }
    this.#groups.set(name, newControlGroup(name, closid, rmid, []));
    return null;
  }

  /** A group as it was before, with its numbers. */
  restoreGroup(saved: Omit<ControlGroup, 'kind' | 'monitors'>): ControlGroup {
    const group = newControlGroup(saved.name, saved.closid, saved.rmid, saved.cpus);
    group.mode = saved.mode;
    if (saved.name === '') return this.root;
    this.#closids.hold(saved.closid);
    if (this.monitors) this.parts.rmids.hold(saved.rmid);
    this.#groups.set(saved.name, group);
    return group;
  }

  restoreMonitor(parent: ControlGroup, name: string, rmid: number, cpus: Iterable<number>): void {
    if (this.monitors) this.parts.rmids.hold(rmid);
    parent.monitors.set(name, { kind: 'monitor', name, rmid, parent, cpus: new Set(cpus) });
  }

  makeMonitorGroup(parent: ControlGroup, name: string): Errno | null {
    const rmid = this.#takeRmid();
    if (typeof rmid === 'string') return rmid;
    parent.monitors.set(name, { kind: 'monitor', name, rmid, parent, cpus: new Set() });
    return null;
  }

  /** To be called with settled tasks. */
  removeControlGroup(group: ControlGroup): void {
    this.tasks.moveAll(group, this.root);
    this.root.cpus = this.root.cpus.union(group.cpus);
    this.#closids.free(group.closid);
    this.#freeRmid(group.rmid);
    for (const monitor of group.monitors.values()) this.#freeRmid(monitor.rmid);
    this.#groups.delete(group.name);
  }

  /** To be called with settled tasks. */
  removeMonitorGroup(group: MonitorGroup): void {
    this.tasks.moveAll(group, group.parent);
    this.#freeRmid(group.rmid);
    group.parent.monitors.delete(group.name);
  }

  /** What unmounting gives back: RMIDs go to limbo like any others. */
  removeAll(): void {
    for (const group of this.groups()) {
      if (group !== this.root) this.removeControlGroup(group);
      else for (const monitor of [...group.monitors.values()]) this.removeMonitorGroup(monitor);
    }
  }

  canBeExclusive(group: ControlGroup): boolean {
    const { machine, status } = this.parts;
    const overlaps = this.controls.schemas.some(
      (schema) =>
        schema.kind === 'cache' &&
        machine.domains.some(({ id }) => {
          const mask = this.controls.get(schema, id, group.closid);
          return this.controls.overlaps(schema, id, mask, group.closid, this.groups(), false);
        }),
    );
    if (overlaps) status.add('Schemata overlaps');
    return !overlaps;
  }

  /** Of a control group: with its monitor groups. As long as one of them has a value there is a sum. */
  async readCounter(group: Group, domain: number, counter: CounterName): Promise<string> {
    const members = group.kind === 'control' ? [group, ...group.monitors.values()] : [group];
    const cache = this.controls.schemas.find(({ kind }) => kind === 'cache');
    const mask = cache === undefined ? 0 : this.controls.get(cache, domain, controlOf(group).closid);
    const bytes = popCount(mask) * this.parts.machine.wayBytes;
    const values = await Promise.all(
      members.map(async (member) => {
        const pids = this.tasks.processesIn(member);
        return this.parts.counters({
          group: pathOf(member),
          rmid: member.rmid,
          domain,
          counter,
          bytes,
          pids,
        });
      }),
    );
    const known = values.filter((value) => value !== null);
    return known.length === 0 ? 'Unavailable\n' : `${known.reduce((sum, value) => sum + value, 0)}\n`;
  }

  #initialize(closid: number): Errno | null {
    const { machine, status } = this.parts;
    for (const schema of this.controls.schemas) {
      const values: [number, number][] = [];
      for (const { id } of machine.domains) {
        const value =
          schema.kind === 'cache'
            ? this.controls.newMask(schema, id, this.groups())
            : this.controls.default(schema);
        if (schema.kind === 'cache' && popCount(value) < machine.minCbmBits) {
          status.add(`No space on ${schema.name}:${id}`);
          return 'ENOSPC';
        }
        values.push([id, value]);
      }
      for (const [id, value] of values) this.controls.set(schema, id, closid, value);
    }
    return null;
  }

  #takeRmid(): number | Errno {
    if (!this.monitors) return 0;
    const rmid = this.parts.rmids.take();
    if (typeof rmid === 'string') this.parts.status.add('Out of RMIDs');
    return rmid;
  }

  #freeRmid(rmid: number): void {
    if (this.monitors) this.parts.rmids.free(rmid);
  }
}

function newControlGroup(name: string, closid: number, rmid: number, cpus: Iterable<number>): ControlGroup {
  return { kind: 'control', name, closid, rmid, mode: 'shareable', cpus: new Set(cpus), monitors: new Map() };
}

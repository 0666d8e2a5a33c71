/**
 * One mounted resctrl and what this node holds in it. Everything here runs under the exclusive lock of the mount, one operation
 * after the other; errors of a mount that is gone come out as they are. Long, because each operation changes the allocator's state, the
 * leases and the kernel together, and must be read as one.
 */

import type { Logger } from '../../ports.ts';
import { giveBack, lend, openWays, promote } from '../allocation/allocator.ts';
import { openDomain } from '../allocation/domain.ts';
import { rebase } from '../allocation/rebase.ts';
import { spanMask } from '../allocation/spans.ts';
import type { PoolLimits, Refusal, WayState } from '../allocation/types.ts';
import { ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import type { GroupNames } from './group-names.ts';
import type { HeldLease } from './held-lease.ts';
import { PlanCarrier } from './plan-carrier.ts';
import type { PoolBandwidth } from './pool-bandwidth.ts';
import { RootGroup, type RootNote } from './root-group.ts';
import { readMasks, removeGroup, type Survey, survey } from './survey.ts';
import { emptyInto, moveProcess, readTasks, strayThreads, type ThreadsOf } from './tasks.ts';
import type { Standing } from './types.ts';

export interface MountParts {
  readonly fs: ResctrlFs;
  readonly logger: Logger;
  readonly topology: ResctrlTopology;
  readonly names: GroupNames;
  readonly note: RootNote;
  readonly threadsOf: ThreadsOf;
  readonly limits: PoolLimits;
  readonly reserveWays: number;
  /** Null: the pool's group has what every group has. */
  readonly poolBandwidth: PoolBandwidth | null;
}

/** What the kernel lacks for a group: a class of service, a monitoring id, or one that is clean yet. */
export type Shortage = 'CLOSID' | 'RMID' | 'LIMBO';

export type Lent =
  | { readonly kind: 'lent' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'short'; readonly of: Shortage }
  | { readonly kind: 'failed'; readonly reason: string };

const ENFORCED: Standing = { enforcement: 'enforced', reason: null };

export class Mount {
  readonly #parts: MountParts;
  readonly #carrier: PlanCarrier;
  readonly #root: RootGroup;
  readonly #leases = new Map<string, HeldLease>();
  #state: WayState;
  #foreign: Survey['foreign'];
  /** Whether there may be a group of the pool. */
  #hasPool = false;

  private constructor(parts: MountParts, root: RootGroup, seen: Survey) {
    this.#parts = parts;
    this.#root = root;
    this.#carrier = new PlanCarrier(parts.fs, parts.topology.caches, parts.names.pool);
    this.#state = this.#opened(seen);
    this.#foreign = seen.foreign;
  }

  /** Removes what an earlier life of this node left, and gives root back what it had then. */
  static async open(parts: MountParts): Promise<Mount> {
    const { fs, topology, names, logger } = parts;
    const before = await survey(fs, topology, names);
    let tasks = 0;
    for (const group of before.ours) {
      tasks += (await readTasks(fs, group)).size;
      await removeGroup(fs, group);
    }
    if (before.ours.size > 0)
      logger.info({ groups: [...before.ours], tasks }, 'groups of an earlier life removed');
    const isShrunk = before.ours.size > 0 || before.foreign.some(({ name }) => names.isKin(name));
    const root = await RootGroup.open(parts, before.root, isShrunk);
    const mount = new Mount(parts, root, await survey(fs, topology, names));
    await mount.#growRoot();
    return mount;
  }

  get state(): WayState {
    return this.#state;
  }

  get foreign(): Survey['foreign'] {
    return this.#foreign;
  }

  /** Percent; null without a limit. */
  get poolBandwidthPercent(): number | null {
    return this.#parts.poolBandwidth?.percent ?? null;
  }

  get topology(): ResctrlTopology {
    return this.#parts.topology;
  }

  get leases(): Iterable<HeldLease> {
    return this.#leases.values();
  }

  has(lease: HeldLease): boolean {
    return this.#leases.has(lease.id);
  }

  /** Takes into account what other programs did since: ways and classes that they took, groups of ours that they removed. */
  async refresh(): Promise<void> {
    const { fs, topology, names } = this.#parts;
    const seen = await survey(fs, topology, names);
    this.#foreign = seen.foreign;
    this.#root.seen(seen.root);
    this.#hasPool = seen.ours.has(names.pool);
    for (const group of seen.ours) {
      // Left by a removal that failed.
      if (group !== names.pool && !this.#leases.has(group)) await removeGroup(fs, group);
    }
    if (this.#leases.size === 0) {
      if (seen.ours.has(names.pool)) await removeGroup(fs, names.pool);
      if (!seen.foreign.some(({ name }) => names.isKin(name))) this.#root.adopt();
      this.#state = this.#opened(seen);
      return;
    }
    await this.#dropVanished(seen.ours);
    await this.#giveWay(seen);
    await this.#root.shrink(this.#state.domains);
  }

  /** @param wait why it shall wait in the pool although a class of service may be free */
  async lend(lease: HeldLease, wait: string | null): Promise<Lent> {
    const { id, domain, ways, sensitive } = lease;
    const answer = lend(this.#state, { id, domain, ways, sensitive, wait: wait !== null });
    if (!answer.ok) return { kind: 'refused', refusal: answer.error };
    const { span, state, steps } = answer.value;
    const group = span === null ? this.#parts.names.pool : id;
    const made = await this.#make(group);
    if (made !== 'made' && made !== 'there') return { kind: 'short', of: made };
    const failure = await this.#carryOut(state, steps);
    if (failure !== null) {
      if (made === 'made') await removeGroup(this.#parts.fs, group);
      await this.#growRoot();
      return { kind: 'failed', reason: failure };
    }
    this.#leases.set(id, lease);
    lease.ways = Math.max(ways, this.#parts.topology.minWays);
    if (span !== null) lease.join(group, group, ENFORCED);
    else
      lease.join(group, await this.#makeMonitor(lease), {
        enforcement: 'shared',
        reason: poolReason(lease, wait),
      });
    this.#showMasks();
    return { kind: 'lent' };
  }

  /** May be repeated after an error. */
  async release(lease: HeldLease): Promise<void> {
    const { fs } = this.#parts;
    if (!this.#leases.has(lease.id)) return;
    if (lease.monitor !== null) await removeGroup(fs, lease.monitor);
    const plan = giveBack(this.#state, lease.id);
    const steps = plan.steps.filter(({ holder }) => holder !== lease.id);
    await this.#carryOut(plan.state, steps, true);
    this.#leases.delete(lease.id);
    lease.leave();
    await this.#tidy();
  }

  /** Leaves nothing behind. */
  async close(): Promise<void> {
    const { fs, topology, names } = this.#parts;
    const seen = await survey(fs, topology, names);
    this.#root.seen(seen.root);
    for (const group of seen.ours) await removeGroup(fs, group);
    this.#leases.clear();
    this.#state = this.#opened(seen);
    await this.#growRoot();
  }

  /** Moves up who waits, as far as classes of service and monitoring ids reach. */
  async promoteAll(): Promise<void> {
    const { fs } = this.#parts;
    const passed = new Set([...this.#leases.values()].filter(cannotBeFollowed).map(({ id }) => id));
    for (let up = promote(this.#state, passed); up !== null; up = promote(this.#state, passed)) {
      const { id } = up;
      const lease = this.#leases.get(id);
      passed.add(id);
      if (lease === undefined) continue;
      if ((await this.#make(id)) !== 'made') break;
      // The pool is given up only after its last member has left it.
      const own = up.steps.findIndex(({ holder }) => holder === id) + 1;
      const failure = await this.#carryOut(up.state, up.steps.slice(0, own));
      if (failure !== null) {
        await removeGroup(fs, id);
        continue;
      }
      const monitor = lease.monitor;
      const all = monitor === null || (await emptyInto(fs, monitor, id));
      await this.#carryOut(up.state, up.steps.slice(own), true);
      if (monitor !== null) await removeGroup(fs, monitor);
      lease.trail.restart();
      const reason = 'not all of its threads could be moved into its partition';
      lease.join(id, id, all ? ENFORCED : { enforcement: 'unenforced', reason });
      await this.#tidy();
    }
  }

  async enter(lease: HeldLease, pid: number): Promise<void> {
    const { fs, threadsOf } = this.#parts;
    const { group, monitor } = lease;
    if (group === null) return;
    await this.#unlessVanished(group, async () => {
      const path = monitor === null || monitor === group ? [group] : [group, monitor];
      const strays = await moveProcess(fs, path, pid, threadsOf);
      if (strays.length > 0) lease.become(outside(pid, strays));
    });
    await this.verify(lease);
  }

  /** Compares with what the kernel says; what is wrong goes on the lease. */
  async verify(lease: HeldLease): Promise<void> {
    const { group } = lease;
    if (group === null || (await this.#unlessVanished(group, () => this.#compare(lease, group)))) return;
    await this.refresh();
    await this.#tidy();
  }

  async #compare(lease: HeldLease, group: string): Promise<void> {
    const { fs, threadsOf } = this.#parts;
    const { monitor } = lease;
    const masks = await readMasks(fs, group);
    if (masks === null) return;
    const wanted = this.#carrier.masksOf(this.#state, group === lease.id ? lease.id : null);
    for (const [domain, mask] of wanted) {
      const actual = masks.get(domain);
      if (actual === mask) continue;
      const reason = `another program changed ${group}: domain ${domain} has mask ${actual?.toString(16)}, not ${mask.toString(16)}`;
      lease.become({ enforcement: 'unenforced', reason });
    }
    for (const pid of lease.pids) {
      const strays = await strayThreads(fs, monitor ?? group, pid, threadsOf);
      if (strays.length > 0) lease.become(outside(pid, strays));
    }
  }

  #opened({ foreignMasks, foreign }: Survey): WayState {
    const { topology, reserveWays, limits } = this.#parts;
    const domains = topology.domains.map(({ id }) =>
      openDomain({
        id,
        ways: topology.ways,
        minBits: topology.minWays,
        ioMask: topology.shareableBits,
        foreignMask: foreignMasks.get(id) ?? 0,
        rootMask: this.#root.original(id),
        reserveWays,
      }),
    );
    return openWays(this.#closids(foreign), domains, limits);
  }

  #closids(foreign: Survey['foreign']): number {
    return Math.max(0, this.#parts.topology.closids - 1 - foreign.length);
  }

  /** Null, or why the masks could not be written; then nothing has changed. `anyway`: what was given up stays given up. */
  async #carryOut(
    next: WayState,
    steps: Parameters<PlanCarrier['carry']>[1],
    anyway = false,
  ): Promise<string | null> {
    const before = this.#state;
    try {
      await this.#root.shrink(next.domains);
    } catch (error) {
      if (isAbsent(error)) throw error;
      if (anyway) this.#state = next;
      return messageOf(error);
    }
    const carried = await this.#carrier.carry(before, steps);
    if (!carried.ok && isAbsent(carried.cause)) throw carried.cause;
    if (carried.ok || anyway) this.#state = next;
    this.#showMasks();
    if (carried.ok) return null;
    this.#parts.logger.warn(
      { err: carried.cause, broken: carried.broken },
      'cache masks could not be rewritten',
    );
    for (const lease of this.#leases.values()) {
      const holder = lease.group === lease.id ? lease.id : null;
      if (!carried.broken.includes(holder)) continue;
      lease.become({
        enforcement: 'unenforced',
        reason: `its mask could not be put back: ${messageOf(carried.cause)}`,
      });
    }
    return messageOf(carried.cause);
  }

  async #dropVanished(ours: ReadonlySet<string>): Promise<void> {
    for (const lease of [...this.#leases.values()]) {
      const { group } = lease;
      if (group === null || ours.has(group)) continue;
      this.#leases.delete(lease.id);
      lease.lose(`another program removed ${group}`);
      this.#parts.logger.warn({ group, runId: lease.runId }, 'a group was removed by another program');
      const plan = giveBack(this.#state, lease.id);
      // A pool that is gone loses all its members here, one after the other.
      const steps = group === lease.id ? plan.steps.filter(({ holder }) => holder !== lease.id) : [];
      await this.#carryOut(plan.state, steps, true);
    }
  }

  async #giveWay({ foreignMasks, foreign }: Survey): Promise<void> {
    const masks = new Map(this.#state.domains.map(({ id }) => [id, foreignMasks.get(id) ?? 0]));
    const plan = rebase(this.#state, this.#closids(foreign), masks);
    await this.#carryOut(plan.state, plan.steps, true);
    for (const id of plan.lost) {
      const lease = this.#leases.get(id);
      this.#leases.delete(id);
      if (lease?.monitor) await removeGroup(this.#parts.fs, lease.monitor);
      lease?.lose('another program took its ways, and there are no others');
    }
  }

  /** Also `there`, for the pool. */
  async #make(group: string): Promise<'made' | 'there' | Shortage> {
    try {
      await this.#parts.fs.mkdir(group);
      if (group === this.#parts.names.pool) await this.#madePool(group);
      return 'made';
    } catch (error) {
      if (!(error instanceof ResctrlError)) throw error;
      if (error.code === 'EEXIST') return 'there';
      if (error.code === 'EBUSY') return 'LIMBO';
      // The status may have older lines; the last one is of this command.
      if (error.code === 'ENOSPC')
        return /Out of RMIDs\s*$/.test(error.lastCmdStatus ?? '') ? 'RMID' : 'CLOSID';
      throw error;
    }
  }

  /** A limit goes with its group. That it can't be set is no reason to refuse a run. */
  async #madePool(group: string): Promise<void> {
    const { fs, logger, poolBandwidth } = this.#parts;
    this.#hasPool = true;
    if (poolBandwidth === null) return;
    try {
      await fs.write(`${group}/schemata`, poolBandwidth.schemata);
    } catch (error) {
      if (!(error instanceof ResctrlError) || isAbsent(error)) throw error;
      logger.warn({ err: error }, 'the shared pool has no limit of memory bandwidth');
    }
  }

  /** A group that only counts, and tells which threads of the pool belong to this lease. Without one it can't be moved up. */
  async #makeMonitor(lease: HeldLease): Promise<string | null> {
    const group = `${this.#parts.names.pool}/mon_groups/${lease.id}`;
    try {
      await this.#parts.fs.mkdir(group);
      return group;
    } catch (error) {
      if (!(error instanceof ResctrlError) || error.code === 'ENODEV') throw error;
      return null;
    }
  }

  /** Removes a pool without members, and gives root what is free of us. */
  async #tidy(): Promise<void> {
    const { fs, names } = this.#parts;
    if (this.#hasPool && this.#state.domains.every(({ members }) => members.length === 0)) {
      await removeGroup(fs, names.pool);
      this.#hasPool = false;
    }
    await this.#growRoot();
    this.#showMasks();
  }

  async #growRoot(): Promise<void> {
    const foreign = new Map(this.#state.domains.map(({ id, foreignMask }) => [id, foreignMask]));
    try {
      await this.#root.grow(this.#state.domains, foreign);
    } catch (error) {
      if (!(error instanceof ResctrlError) || isAbsent(error)) throw error;
      this.#parts.logger.warn({ err: error }, 'the root group keeps its narrow mask');
    }
  }

  #showMasks(): void {
    for (const { partitions, members, pool } of this.#state.domains) {
      for (const { id, span } of partitions) this.#setMask(id, spanMask(span));
      for (const { id } of members) if (pool !== null) this.#setMask(id, spanMask(pool));
    }
  }

  #setMask(id: string, mask: number): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) lease.mask = mask;
  }

  /** False when the group is gone: another program may remove it between any two steps. */
  async #unlessVanished(group: string, work: () => Promise<void>): Promise<boolean> {
    const exists = async () => (await readMasks(this.#parts.fs, group)) !== null;
    try {
      await work();
    } catch (error) {
      if (!isAbsent(error) || (await exists())) throw error;
    }
    return exists();
  }
}

/** Its threads can't be told from those of other members. */
function cannotBeFollowed(lease: HeldLease): boolean {
  return lease.monitor === null && lease.pids.size > 0;
}

function poolReason(lease: HeldLease, wait: string | null): string {
  if (!lease.sensitive) return 'it gains nothing from cache of its own';
  return wait ?? 'all classes of service (CLOSIDs) are in use';
}

function outside(pid: number, tids: readonly number[]): Standing {
  return {
    enforcement: 'unenforced',
    reason: `threads ${tids.join(', ')} of process ${pid} are outside of its group`,
  };
}

/** Something was not there: a group, or all of resctrl. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ResctrlError && ['ENOENT', 'ENODEV', 'ENOTDIR', 'EIO'].includes(error.code);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * One mounted resctrl and what this node holds in it: each operation here changes the allocator's state, the leases
 * and the kernel together. All of it runs under the lock of the filesystem; errors of a mount that is gone come out
 * as they are.
 */
import type { Logger } from '../../ports.ts';
import { giveBack, lend, promote } from '../allocation/allocator.ts';
import { rebase } from '../allocation/rebase.ts';
import { spanMask } from '../allocation/spans.ts';
import type { PoolLimits, Refusal, Step, WayState } from '../allocation/types.ts';
import { ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import type { GroupNames } from './group-names.ts';
import { compare, holdable, OurGroups, type Shortage } from './groups.ts';
import type { HeldLease } from './held-lease.ts';
import { RootGroup, type RootNote } from './root-group.ts';
import {
  closidsBeside,
  isAbsent,
  messageOf,
  openState,
  removeGroup,
  type Survey,
  survey,
  unlessVanished,
} from './survey.ts';
import { emptyInto, moveProcess, outside, readTasks, type ThreadsOf } from './tasks.ts';
import { ENFORCED, unenforced } from './types.ts';

export interface MountParts {
  readonly fs: ResctrlFs;
  readonly logger: Logger;
  readonly topology: ResctrlTopology;
  readonly names: GroupNames;
  /** Keeps root's mask over a crash. */
  readonly note: RootNote;
  readonly threadsOf: ThreadsOf;
  readonly limits: PoolLimits;
  readonly reserveWays: number;
}

export type Lent =
  | { readonly kind: 'lent' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'short'; readonly of: Shortage }
  | { readonly kind: 'failed'; readonly reason: string };

export class Mount {
  readonly topology: ResctrlTopology;
  readonly #parts: MountParts;
  readonly #groups: OurGroups;
  readonly #root: RootGroup;
  readonly #leases = new Map<string, HeldLease>();
  #state: WayState;

  private constructor(parts: MountParts, root: RootGroup, seen: Survey) {
    const { topology, names } = parts;
    this.topology = topology;
    this.#parts = parts;
    this.#root = root;
    this.#groups = new OurGroups({ ...parts, pool: names.pool });
    this.#state = openState(seen, parts, root);
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
    const isShrunk = before.ours.size > 0 || names.hasKin(before.foreign);
    const root = await RootGroup.open(parts, before.root, isShrunk);
    const limits = await holdable(parts.limits, parts);
    const mount = new Mount({ ...parts, limits }, root, await survey(fs, topology, names));
    await mount.#growRoot();
    return mount;
  }

  get state(): WayState {
    return this.#state;
  }

  get leases(): readonly HeldLease[] {
    return [...this.#leases.values()];
  }

  has(lease: HeldLease): boolean {
    return this.#leases.has(lease.id);
  }

  /** Takes in what other programs did since: ways and classes that they took, groups of ours that they removed. */
  async refresh(): Promise<void> {
    const { fs, topology, names } = this.#parts;
    const seen = await survey(fs, topology, names);
    this.#root.seen(seen.root);
    this.#groups.hasPool = seen.ours.has(names.pool);
    for (const group of seen.ours) {
      // Left by a removal that failed.
      if (group !== names.pool && !this.#leases.has(group)) await removeGroup(fs, group);
    }
    if (this.#leases.size === 0) {
      await this.#groups.removePool();
      if (!names.hasKin(seen.foreign)) this.#root.adopt();
      this.#state = openState(seen, this.#parts, this.#root);
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
    const made = await this.#groups.make(group);
    if (made !== 'made' && made !== 'there') return { kind: 'short', of: made };
    const failure = await this.#carryOut(state, steps);
    if (failure !== null) {
      if (made === 'made') await removeGroup(this.#parts.fs, group);
      await this.#growRoot();
      return { kind: 'failed', reason: failure };
    }
    this.#leases.set(id, lease);
    lease.ways = Math.max(ways, this.topology.minWays);
    if (span !== null) lease.join(group, group, ENFORCED);
    else {
      const needs = wait ?? 'all classes of service (CLOSIDs) are in use';
      const reason = sensitive ? needs : 'it gains nothing from cache of its own';
      lease.join(group, await this.#groups.makeMonitor(id), { enforcement: 'shared', reason });
    }
    this.#showMasks();
    return { kind: 'lent' };
  }

  /** May be repeated after an error. */
  async release(lease: HeldLease): Promise<void> {
    if (!this.has(lease)) return;
    if (lease.monitor !== null) await removeGroup(this.#parts.fs, lease.monitor);
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
    this.#state = openState(seen, this.#parts, this.#root);
    await this.#growRoot();
  }

  /** Moves up who waits, as far as classes of service and monitoring ids reach. */
  async promoteAll(): Promise<void> {
    const { fs } = this.#parts;
    const passed = new Set(this.leases.filter((lease) => !lease.canMoveUp).map(({ id }) => id));
    for (let up = promote(this.#state, passed); up !== null; up = promote(this.#state, passed)) {
      const { id } = up;
      const lease = this.#leases.get(id);
      passed.add(id);
      if (lease === undefined) continue;
      if ((await this.#groups.make(id)) !== 'made') break;
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
      lease.join(id, id, all ? ENFORCED : unenforced(reason));
      await this.#tidy();
    }
  }

  async enter(lease: HeldLease, pid: number): Promise<void> {
    const { fs, threadsOf } = this.#parts;
    const { group, monitor } = lease;
    // In this turn, so that no other sees a process which is to be moved yet, or moves its lease up without it.
    lease.entered(pid);
    if (group === null) return;
    await unlessVanished(fs, group, async () => {
      const path = monitor === null || monitor === group ? [group] : [group, monitor];
      const strays = await moveProcess(fs, path, pid, threadsOf);
      if (strays.length > 0) lease.become(outside(pid, strays));
    });
    await this.verify(lease);
  }

  /** Compares with what the kernel says; what is wrong goes on the lease. */
  async verify(lease: HeldLease): Promise<void> {
    const { fs, threadsOf } = this.#parts;
    const { group } = lease;
    if (group === null) return;
    if (await unlessVanished(fs, group, () => compare(lease, group, this.#state, fs, threadsOf))) return;
    await this.refresh();
    await this.#tidy();
  }

  /** Null, or why the masks could not be written; then nothing has changed, but for what is given up `anyway`. */
  async #carryOut(next: WayState, steps: readonly Step[], anyway = false): Promise<string | null> {
    const before = this.#state;
    try {
      await this.#root.shrink(next.domains);
    } catch (error) {
      if (isAbsent(error)) throw error;
      if (anyway) this.#state = next;
      return messageOf(error);
    }
    const carried = await this.#groups.carry(before, steps);
    if (!carried.ok && isAbsent(carried.cause)) throw carried.cause;
    if (carried.ok || anyway) this.#state = next;
    this.#showMasks();
    if (carried.ok) return null;
    const { cause, broken } = carried;
    this.#parts.logger.warn({ err: cause, broken }, 'cache masks could not be rewritten');
    for (const lease of this.leases) {
      if (broken.includes(lease.hold === 'partition' ? lease.id : null))
        lease.become(unenforced(`its mask could not be put back: ${messageOf(cause)}`));
    }
    return messageOf(cause);
  }

  async #dropVanished(ours: ReadonlySet<string>): Promise<void> {
    for (const lease of this.leases) {
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
    const plan = rebase(this.#state, closidsBeside(foreign, this.topology), masks);
    await this.#carryOut(plan.state, plan.steps, true);
    for (const id of plan.lost) {
      const lease = this.#leases.get(id);
      this.#leases.delete(id);
      if (lease?.monitor) await removeGroup(this.#parts.fs, lease.monitor);
      lease?.lose('another program took its ways, and there are no others');
    }
  }

  /** Removes a pool without members, and gives root what is free of us. */
  async #tidy(): Promise<void> {
    if (this.#state.domains.every(({ members }) => members.length === 0)) await this.#groups.removePool();
    await this.#growRoot();
    this.#showMasks();
  }

  async #growRoot(): Promise<void> {
    try {
      await this.#root.grow(this.#state.domains);
    } catch (error) {
      if (!(error instanceof ResctrlError) || isAbsent(error)) throw error;
      this.#parts.logger.warn({ err: error }, 'the root group keeps its narrow mask');
    }
  }

  #showMasks(): void {
    const show = (id: string, mask: number) => {
      const lease = this.#leases.get(id);
      if (lease !== undefined) lease.mask = mask;
    };
    for (const { partitions, members, pool } of this.#state.domains) {
      for (const { id, span } of partitions) show(id, spanMask(span));
      for (const { id } of members) if (pool !== null) show(id, spanMask(pool));
    }
  }
}

/**
 * Holds runs to their ways by resctrl, and says truthfully when it can't. What is lent is decided by the allocator
 * and carried out by `Mount`, each operation in its turn of `MountKeeper.alone`; here are the leases, and the waiting
 * for what the kernel lacks for a moment.
 */

import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { CacheUse } from '../../../protocols/schema/run.ts';
import { pause } from '../../pause.ts';
import type { Cancel, Clock } from '../../ports.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from '../allocation/types.ts';
import { readOccupancy } from '../resctrl/occupancy.ts';
import { ResctrlError } from '../resctrl/port.ts';
import { Accounts } from './accounts.ts';
import { GroupNames } from './group-names.ts';
import type { Shortage } from './groups.ts';
import { HeldLease } from './held-lease.ts';
import type { Mount } from './mount.ts';
import { MountKeeper, type MountKeeperDependencies } from './mount-keeper.ts';
import {
  type Lease,
  type PartitionRefusal,
  type PartitionRequest,
  type Partitions,
  type PartitionsView,
  STOPPING,
  type Standing,
  unenforced,
} from './types.ts';

export interface PartitionManagerOptions {
  /** Ways of each domain that are left to everything else. @default 2 */
  readonly reserveWays?: number;
  /** @default DEFAULT_POOL_LIMITS */
  readonly pool?: PoolLimits;
  /** How often a group is asked for while monitoring ids are in limbo. @default 5 */
  readonly limboTries?: number;
  /** Wait before the second try; doubles with each. Milliseconds. @default 50 */
  readonly limboBackoffMs?: number;
  /** How often counters are sampled, who waits is moved up, and a lost mount is looked for. @default 1000 */
  readonly maintenanceMs?: number;
  /**
   * On an emulated resctrl everything is carried out as on hardware, and nothing is held. So that nobody takes a demo
   * for the real thing, leases then say `unenforced`, and what hardware would have made of them. @default false
   */
  readonly emulated?: boolean;
}

export interface PartitionManagerDependencies extends Omit<MountKeeperDependencies, 'names'> {
  readonly clock: Clock;
  /** Peer id: groups bear a hash of it. */
  readonly nodeId: string;
}

const DEFAULTS = {
  reserveWays: 2,
  pool: DEFAULT_POOL_LIMITS,
  limboTries: 5,
  limboBackoffMs: 50,
  maintenanceMs: 1000,
  emulated: false,
};
const SHORTAGE: Readonly<Record<Shortage, string>> = {
  CLOSID: 'other programs hold all classes of service (CLOSIDs)',
  RMID: 'all monitoring ids (RMIDs) are in use',
  LIMBO: 'monitoring ids (RMIDs) were in limbo for too long',
};

export class PartitionManager implements Partitions {
  readonly #options: Required<PartitionManagerOptions>;
  readonly #dependencies: PartitionManagerDependencies;
  readonly #names: GroupNames;
  readonly #accounts: Accounts;
  readonly #keeper: MountKeeper;
  /** Asked for and not lent yet. */
  readonly #asked = new Set<HeldLease>();
  /** Looking for the mount, or after it. */
  #round: Promise<void> | null = null;
  #cancelTimer: Cancel = () => {};
  #stopped: Promise<void> | null = null;

  constructor(options: PartitionManagerOptions, dependencies: PartitionManagerDependencies) {
    this.#options = { ...DEFAULTS, ...options };
    this.#dependencies = dependencies;
    this.#names = new GroupNames(dependencies.nodeId);
    const { reserveWays, pool: limits } = this.#options;
    this.#accounts = new Accounts({ topology: dependencies.topology, reserveWays, limits });
    this.#keeper = new MountKeeper({ ...this.#options, limits }, { ...dependencies, names: this.#names });
  }

  /** Works without resctrl too: then it waits for it to be mounted. */
  async start(): Promise<void> {
    if (this.#keeper.state !== 'new') return;
    await this.#once(() => this.#keeper.open());
    if (this.#stopped !== null) return;
    const { maintenanceMs } = this.#options;
    this.#cancelTimer = this.#dependencies.clock.every(maintenanceMs, () => void this.maintain());
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>> {
    const lease = new HeldLease(this.#newId(request), request, this.#options.emulated);
    this.#asked.add(lease);
    try {
      const refusal = await this.#acquire(lease);
      if (refusal !== null) return fail(refusal);
    } finally {
      this.#asked.delete(lease);
    }
    this.#dependencies.onChange?.();
    return succeed(lease);
  }

  async enter(lease: Lease, pid: number): Promise<Standing> {
    const held = HeldLease.of(lease);
    const first = held.pids.size === 0;
    await this.#readBack(held, (mount) => mount.enter(held, pid));
    held.entered(pid);
    if (first) await this.#sample(held, 'begin');
    return held.standing;
  }

  async release(lease: Lease): Promise<void> {
    const held = HeldLease.of(lease);
    if (held.released) return;
    held.released = true;
    this.#accounts.leases.delete(held);
    // What fails here is tried again by `maintain`.
    await this.#keeper.alone(async (mount) => {
      await mount.refresh();
      await mount.release(held);
      await mount.promoteAll();
    });
    this.#dependencies.onChange?.();
  }

  async observe(lease: Lease): Promise<CacheUse> {
    const held = HeldLease.of(lease);
    await this.#sample(held);
    return held.trail.summary();
  }

  view(): PartitionsView {
    const { state, mount, reason } = this.#keeper;
    const domains = this.#accounts.view(mount);
    return {
      state: state === 'new' ? 'lost' : state,
      reason: state === 'lost' ? reason : null,
      domains: state === 'stopped' ? domains.map((domain) => ({ ...domain, freeWays: 0 })) : domains,
    };
  }

  /** One round of what the timer does; resolves when it is done. */
  maintain(): Promise<void> {
    return this.#once(async () => {
      if (this.#keeper.state === 'lost') await this.#keeper.open();
      await this.#keeper.alone(async (mount) => {
        await mount.refresh();
        for (const lease of mount.leases) {
          if (lease.released) await mount.release(lease);
          else await mount.verify(lease);
        }
        await mount.promoteAll();
      });
      for (const lease of [...this.#accounts.leases]) await this.#sample(lease);
    });
  }

  /** Who asks for a round while one is under way waits for that one: a slow kernel makes no queue of them. */
  #once(work: () => Promise<void>): Promise<void> {
    const { logger } = this.#dependencies;
    this.#round ??= work()
      .catch((error: unknown) => logger.error({ err: error }, 'partitions were not looked after'))
      .finally(() => {
        this.#round = null;
      });
    return this.#round;
  }

  /** Null when the lease was given, held by something or not. */
  async #acquire(lease: HeldLease): Promise<PartitionRefusal | null> {
    const { limboTries, limboBackoffMs } = this.#options;
    const { clock } = this.#dependencies;
    for (let tries = 1; ; tries++) {
      const wait = tries > limboTries ? SHORTAGE.LIMBO : null;
      const answer = await this.#keeper.alone<PartitionRefusal | 'limbo' | null>(
        (mount) => this.#lend(mount, lease, wait),
        (reason) => this.#count(lease, reason),
      );
      if (answer !== 'limbo') return answer;
      // Who waits for the kernel holds nobody up.
      if (tries === limboTries) continue;
      await pause(clock, limboBackoffMs * 2 ** (tries - 1));
    }
  }

  async #lend(
    mount: Mount,
    lease: HeldLease,
    wait: string | null,
  ): Promise<PartitionRefusal | 'limbo' | null> {
    const refusal = this.#refuse(lease);
    if (refusal !== null) return refusal;
    await mount.refresh();
    // The allocator knows nothing of leases that are only counted.
    const full = this.#accounts.refuseFull(lease, mount.leases, mount);
    if (full !== null && this.#accounts.counted(mount).length > 0) return full;
    let lent = await mount.lend(lease, wait);
    if (lent.kind === 'short' && wait === null) {
      if (lent.of === 'LIMBO') return 'limbo';
      lent = await mount.lend(lease, SHORTAGE[lent.of]);
    }
    if (lent.kind === 'short') return this.#count(lease, SHORTAGE[lent.of]);
    if (lent.kind === 'failed') return this.#count(lease, lent.reason);
    if (lent.kind === 'refused') {
      const { code, message } = lent.refusal;
      if (code !== 'NO_WAYS' && code !== 'POOL_FULL') return this.#count(lease, message);
      return { code: 'FULL', message };
    }
    this.#accounts.leases.add(lease);
    return null;
  }

  /** Gives ways that nothing holds. */
  #count(lease: HeldLease, reason: string): PartitionRefusal | null {
    const refusal = this.#refuse(lease) ?? this.#accounts.count(lease, reason, this.#keeper.mount);
    if (refusal !== null) return refusal;
    const { runId, attempt } = lease;
    this.#dependencies.logger.warn({ runId, attempt, reason }, 'partition is not enforced');
    return null;
  }

  #refuse(lease: HeldLease): PartitionRefusal | null {
    const isClosed = this.#stopped !== null || this.#keeper.state === 'new';
    return isClosed ? STOPPING : this.#accounts.refuse(lease);
  }

  /** For what concerns one lease; a failure means that nobody knows whether it holds. */
  #readBack(lease: HeldLease, work: (mount: Mount) => Promise<void>): Promise<void> {
    return this.#keeper.alone(
      async (mount) => {
        if (mount.has(lease)) await work(mount);
      },
      (reason) => {
        if (lease.group !== null) lease.become(unenforced(`it could not be read back: ${reason}`));
      },
    );
  }

  async #sample(lease: HeldLease, as: 'begin' | 'add' = 'add'): Promise<void> {
    const { fs, clock } = this.#dependencies;
    if (lease.monitor === null) return;
    try {
      const counters = await readOccupancy(fs, lease.monitor);
      const own = counters.find(({ domain }) => domain === lease.domain);
      if (own !== undefined) lease.trail[as](clock.monotonicMs(), own);
    } catch (error) {
      if (!(error instanceof ResctrlError)) throw error;
      // The next look at the mount tells what is the matter.
    }
  }

  async #stop(): Promise<void> {
    this.#cancelTimer();
    await this.#round;
    await this.#keeper.alone((mount) => mount.close());
    this.#keeper.stop();
    for (const lease of this.#accounts.leases) if (lease.group !== null) lease.lose(this.#keeper.reason);
  }

  /** Two attempts of a run may bear one number for a moment. */
  #newId({ runId, attempt }: PartitionRequest): string {
    const name = this.#names.of(runId, attempt);
    const leases = [...this.#accounts.leases, ...this.#asked, ...(this.#keeper.mount?.leases ?? [])];
    const taken = new Set(leases.map(({ id }) => id));
    for (let twin = 1; ; twin++) {
      const id = twin === 1 ? name : `${name}-${twin}`;
      if (!taken.has(id)) return id;
    }
  }
}

/**
 * Holds runs to their ways by resctrl, and says truthfully when it can't. What is lent is decided by the allocator and carried out
 * by `Mount`; here are the life of the mount, the waiting for what the kernel lacks for a moment, and the accounts of runs that nothing holds.
 * Long, because all of it hangs on one phase: new, holding, lost, stopped.
 */

import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { Cancel, Clock, Logger } from '../../ports.ts';
import type { CacheUse } from '../../state/types.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from '../allocation/types.ts';
import { readOccupancy } from '../resctrl/occupancy.ts';
import { ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import { type ResctrlTopology, readResctrlTopology } from '../resctrl/resctrl-topology.ts';
import type { Topology } from '../types.ts';
import { countedFree, fitsCounted, heldFree } from './free-ways.ts';
import { GroupNames } from './group-names.ts';
import { HeldLease } from './held-lease.ts';
import { isAbsent, Mount, messageOf, type Shortage } from './mount.ts';
import { type PoolBandwidth, planPoolBandwidth } from './pool-bandwidth.ts';
import { memoryNote, type RootNote } from './root-group.ts';
import type { ThreadsOf } from './tasks.ts';
import type {
  Lease,
  PartitionRefusal,
  PartitionRequest,
  Partitions,
  PartitionsView,
  Standing,
} from './types.ts';
import { countedView, heldView } from './view.ts';

export interface PartitionManagerOptions {
  /** Ways of each domain that are left to everything else. @default 2 */
  readonly reserveWays?: number;
  /** @default DEFAULT_POOL_LIMITS */
  readonly pool?: PoolLimits;
  /** Memory bandwidth of the pool, percent; null: no limit. @default null */
  readonly poolBandwidthPercent?: number | null;
  /** How often a group is asked for while monitoring ids are in limbo. @default 5 */
  readonly limboTries?: number;
  /** Wait before the second try; doubles with each. Milliseconds. @default 50 */
  readonly limboBackoffMs?: number;
  /** How often counters are sampled, who waits is moved up, and a lost mount is looked for. @default 1000 */
  readonly maintenanceMs?: number;
}

export interface PartitionManagerDependencies {
  readonly fs: ResctrlFs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Peer id: groups bear a hash of it. */
  readonly nodeId: string;
  readonly topology: Topology;
  readonly threadsOf: ThreadsOf;
  /** Keeps root's mask over a crash. @default only in memory */
  readonly note?: RootNote;
  /** What is lent or free has changed. */
  readonly onChange?: () => void;
}

type Phase =
  | { readonly name: 'new' | 'stopped' }
  | { readonly name: 'holding'; readonly mount: Mount }
  | { readonly name: 'lost'; readonly reason: string };

const DEFAULTS = {
  reserveWays: 2,
  pool: DEFAULT_POOL_LIMITS,
  poolBandwidthPercent: null,
  limboTries: 5,
  limboBackoffMs: 50,
  maintenanceMs: 1000,
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
  readonly #note: RootNote;
  readonly #leases = new Set<HeldLease>();
  readonly #pending = new Set<HeldLease>();
  #failure: string | null = null;
  #phase: Phase = { name: 'new' };
  #last: Promise<unknown> = Promise.resolve();
  #maintenance: Promise<void> | null = null;
  #cancelTimer: Cancel = () => {};
  #stopped: Promise<void> | null = null;

  constructor(options: PartitionManagerOptions, dependencies: PartitionManagerDependencies) {
    this.#options = { ...DEFAULTS, ...options };
    this.#dependencies = dependencies;
    this.#names = new GroupNames(dependencies.nodeId);
    this.#note = dependencies.note ?? memoryNote();
  }

  /** Works without resctrl too: then it waits for it to be mounted. */
  async start(): Promise<void> {
    if (this.#phase.name !== 'new') return;
    await this.#serial(() => this.#open());
    this.#cancelTimer = this.#dependencies.clock.every(
      this.#options.maintenanceMs,
      () => void this.maintain(),
    );
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>> {
    const lease = new HeldLease(this.#newId(request), request);
    this.#pending.add(lease);
    try {
      const refusal = await this.#acquire(lease);
      if (refusal !== null) return fail(refusal);
      this.#leases.add(lease);
    } finally {
      this.#pending.delete(lease);
    }
    this.#dependencies.onChange?.();
    return succeed(lease);
  }

  async enter(lease: Lease, pid: number): Promise<Standing> {
    const held = this.#own(lease);
    const first = held.pids.size === 0;
    held.entered(pid);
    await this.#read(held, (mount) => mount.enter(held, pid));
    if (first) await this.#sample(held, 'begin');
    return held.standing;
  }

  async verify(lease: Lease): Promise<Standing> {
    const held = this.#own(lease);
    await this.#read(held, (mount) => mount.verify(held));
    return held.standing;
  }

  async release(lease: Lease): Promise<void> {
    const held = this.#own(lease);
    if (held.released) return;
    held.released = true;
    this.#leases.delete(held);
    // What fails here is tried again by `maintain`.
    await this.#change(async (mount) => {
      await mount.refresh();
      await mount.release(held);
      await mount.promoteAll();
    });
    this.#dependencies.onChange?.();
  }

  async observe(lease: Lease): Promise<CacheUse> {
    const held = this.#own(lease);
    await this.#sample(held);
    return held.trail.summary();
  }

  freeWays(domain: number): number {
    const { topology } = this.#dependencies;
    if (this.#phase.name === 'stopped') return 0;
    if (this.#phase.name !== 'holding') {
      return countedFree(topology, this.#options.reserveWays, this.#leases, domain, this.#options.pool);
    }
    const { mount } = this.#phase;
    return heldFree(mount.state, this.#unheld(mount), domain);
  }

  view(): PartitionsView {
    const { topology } = this.#dependencies;
    const freeWays = (domain: number) => this.freeWays(domain);
    if (this.#phase.name === 'holding') {
      const { mount } = this.#phase;
      return heldView(mount, [...this.#leases], this.#unheld(mount), freeWays);
    }
    const state = this.#phase.name === 'stopped' ? 'stopped' : 'lost';
    const reason = this.#phase.name === 'lost' ? this.#phase.reason : null;
    return countedView({ state, reason }, topology, this.#options.reserveWays, [...this.#leases], freeWays);
  }

  /** One round of what the timer does; resolves when it is done. */
  maintain(): Promise<void> {
    this.#maintenance ??= this.#maintain()
      .catch((error: unknown) =>
        this.#dependencies.logger.error({ err: error }, 'partitions were not looked after'),
      )
      .finally(() => {
        this.#maintenance = null;
      });
    return this.#maintenance;
  }

  async #maintain(): Promise<void> {
    if (this.#phase.name === 'lost') await this.#serial(() => this.#open());
    await this.#change(async (mount) => {
      await mount.refresh();
      for (const lease of [...mount.leases]) {
        if (lease.released) await mount.release(lease);
        else await mount.verify(lease);
      }
      await mount.promoteAll();
    });
    for (const lease of [...this.#leases]) await this.#sample(lease);
  }

  /** Null when the lease was given, held by something or not. */
  async #acquire(lease: HeldLease): Promise<PartitionRefusal | null> {
    const { limboTries, limboBackoffMs } = this.#options;
    let wait: string | null = null;
    for (let tries = 1; ; tries++) {
      const why: string | null = wait;
      let answer: PartitionRefusal | 'limbo' | 'lent' | undefined;
      await this.#serial(async () => {
        answer = this.#refuseEarly(lease) ?? (await this.#locked((mount) => this.#lend(mount, lease, why)));
        if (answer === undefined) answer = this.#count(lease, this.#whyNot());
      });
      if (answer !== 'limbo') return answer === 'lent' || answer === undefined ? null : answer;
      // Who waits for the kernel holds nobody up.
      if (tries < limboTries) await this.#pause(limboBackoffMs * 2 ** (tries - 1));
      else wait = SHORTAGE.LIMBO;
    }
  }

  async #lend(
    mount: Mount,
    lease: HeldLease,
    wait: string | null,
  ): Promise<PartitionRefusal | 'limbo' | 'lent'> {
    await mount.refresh();
    // Runs that nothing holds count as well, or there would be no end of them.
    const unheld = this.#unheld(mount);
    const known = mount.state.domains.some(({ id }) => id === lease.domain);
    const free = this.freeWays(lease.domain);
    const pooled = [...mount.leases].filter(({ sensitive }) => !sensitive);
    const fits = fitsCounted(free, lease.sensitive ? unheld : pooled, lease, this.#options.pool);
    if (unheld.length > 0 && known && !fits) return this.#full(lease);
    let lent = await mount.lend(lease, wait);
    if (lent.kind === 'short' && wait === null) {
      if (lent.of === 'LIMBO') return 'limbo';
      lent = await mount.lend(lease, SHORTAGE[lent.of]);
    }
    if (lent.kind === 'lent') return 'lent';
    if (lent.kind === 'short') return this.#count(lease, SHORTAGE[lent.of]);
    if (lent.kind === 'failed') return this.#count(lease, lent.reason);
    const { code, message } = lent.refusal;
    if (code === 'NO_WAYS' || code === 'POOL_FULL') return { code: 'FULL', message };
    return this.#count(lease, message);
  }

  #refuseEarly({ domain, ways }: HeldLease): PartitionRefusal | null {
    if (this.#stopped !== null || this.#phase.name === 'new') {
      return { code: 'STOPPING', message: 'This node lends no cache now.' };
    }
    if (!this.#dependencies.topology.domains.some(({ id }) => id === domain)) {
      return { code: 'UNKNOWN_DOMAIN', message: `This node has no LLC domain ${domain}.` };
    }
    if (Number.isInteger(ways) && ways > 0) return null;
    return { code: 'BAD_WAYS', message: `${ways} is no number of ways.` };
  }

  /** Gives ways that nothing holds. */
  #count(lease: HeldLease, reason: string): PartitionRefusal | 'lent' {
    const { topology } = this.#dependencies;
    const mount = this.#phase.name === 'holding' ? this.#phase.mount : null;
    const known = mount?.state.domains.some(({ id }) => id === lease.domain) ?? false;
    const free = known
      ? this.freeWays(lease.domain)
      : countedFree(topology, this.#options.reserveWays, this.#leases, lease.domain, this.#options.pool);
    const beside = mount === null ? [...this.#leases] : this.#unheld(mount);
    if (!fitsCounted(free, beside, lease, this.#options.pool)) return this.#full(lease);
    lease.lose(reason);
    this.#leases.add(lease);
    this.#dependencies.logger.warn(
      { runId: lease.runId, attempt: lease.attempt, reason },
      'partition is not enforced',
    );
    return 'lent';
  }

  #full({ domain, ways }: HeldLease): PartitionRefusal {
    return {
      code: 'FULL',
      message: `LLC domain ${domain} can lend ${this.freeWays(domain)} ways at most, not ${ways}.`,
    };
  }

  /** Leases that the mount doesn't hold. */
  #unheld(mount: Mount): HeldLease[] {
    return [...this.#leases].filter((lease) => !mount.has(lease));
  }

  #whyNot(): string {
    return this.#phase.name === 'lost' ? this.#phase.reason : (this.#failure ?? 'resctrl failed');
  }

  /** As `change`, for what concerns one lease; a failure means that nobody knows whether it holds. */
  async #read(lease: HeldLease, work: (mount: Mount) => Promise<void>): Promise<void> {
    const done = await this.#change(async (mount) => {
      if (mount.has(lease)) await work(mount);
      return true;
    });
    if (done === undefined && lease.group !== null) {
      lease.become({ enforcement: 'unenforced', reason: `it could not be read back: ${this.#whyNot()}` });
    }
  }

  #change<T>(work: (mount: Mount) => Promise<T>): Promise<T | undefined> {
    return this.#serial(() => this.#locked(work));
  }

  /** Undefined when nothing is mounted (any more), or the kernel refused what it should not. */
  async #locked<T>(work: (mount: Mount) => Promise<T>): Promise<T | undefined> {
    if (this.#phase.name !== 'holding') return undefined;
    const { mount } = this.#phase;
    const { fs, logger } = this.#dependencies;
    try {
      return await fs.locked('exclusive', () => work(mount));
    } catch (error) {
      this.#failure = messageOf(error);
      const gone = isAbsent(error) && !(await this.#isMounted());
      if (gone) this.#lose(mount);
      else logger.warn({ err: error }, 'resctrl refused');
      return undefined;
    }
  }

  async #isMounted(): Promise<boolean> {
    try {
      await this.#dependencies.fs.read('schemata');
      return true;
    } catch {
      return false;
    }
  }

  #lose(mount: Mount): void {
    const reason = 'resctrl was unmounted';
    this.#phase = { name: 'lost', reason };
    for (const lease of [...mount.leases]) lease.lose(reason);
    this.#dependencies.logger.error({ reason }, 'cache partitions are not enforced any more');
    this.#dependencies.onChange?.();
  }

  async #open(): Promise<void> {
    const { fs, logger, topology, threadsOf } = this.#dependencies;
    const { reserveWays, pool: limits } = this.#options;
    const before = this.#phase;
    if (before.name !== 'new' && before.name !== 'lost') return;
    try {
      await fs.locked('exclusive', async () => {
        const read = await readResctrlTopology(fs, topology);
        if (!read.ok) return this.#notHere(read.error.message);
        const parts = { fs, logger, topology: read.value, names: this.#names, note: this.#note };
        const poolBandwidth = await this.#planBandwidth(read.value);
        const mount = await Mount.open({ ...parts, threadsOf, limits, reserveWays, poolBandwidth });
        this.#phase = { name: 'holding', mount };
        logger.info(
          { domains: read.value.domains.length, ways: read.value.ways },
          'cache partitions are enforced',
        );
        this.#dependencies.onChange?.();
      });
    } catch (error) {
      const absent = error instanceof ResctrlError && error.code === 'ENOENT';
      this.#notHere(absent ? 'resctrl is not mounted' : messageOf(error));
    }
  }

  async #planBandwidth(topology: ResctrlTopology): Promise<PoolBandwidth | null> {
    const { poolBandwidthPercent: wanted } = this.#options;
    if (wanted === null) return null;
    const plan = await planPoolBandwidth(wanted, this.#dependencies.fs, topology);
    if (plan.ok) return plan.value;
    this.#dependencies.logger.warn({ wanted }, `the shared pool has no limit of bandwidth: ${plan.error}`);
    return null;
  }

  #notHere(reason: string): void {
    const known = this.#phase.name === 'lost' && this.#phase.reason === reason;
    const first = this.#phase.name === 'new';
    if (first) this.#dependencies.logger.error({ reason }, 'cache partitions are not enforced');
    else if (!known) this.#dependencies.logger.debug({ reason }, 'cache partitions are still not enforced');
    this.#phase = { name: 'lost', reason };
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
    await this.#maintenance;
    await this.#change((mount) => mount.close());
    for (const lease of this.#leases) if (lease.group !== null) lease.lose('the node stopped');
    this.#phase = { name: 'stopped' };
  }

  /** Two attempts of a run may bear one number for a moment. */
  #newId({ runId, attempt }: PartitionRequest): string {
    const name = this.#names.of(runId, attempt);
    const mounted = this.#phase.name === 'holding' ? [...this.#phase.mount.leases] : [];
    const taken = new Set([...this.#leases, ...this.#pending, ...mounted].map(({ id }) => id));
    for (let twin = 1; ; twin++) {
      const id = twin === 1 ? name : `${name}-${twin}`;
      if (!taken.has(id)) return id;
    }
  }

  #own(lease: Lease): HeldLease {
    if (lease instanceof HeldLease) return lease;
    throw new TypeError('this lease is of another holder');
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#dependencies.clock.after(delayMs, resolve));
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/**
 * The contract between the worker and whatever holds its runs to their ways of the cache: resctrl
 * (`PartitionManager`), or nothing but accounts (`UnenforcedPartitions`). How ways are held has the same words here,
 * in gossip, REST and the CLI (`Hold`):
 * - `partition`: the run has them alone;
 * - `pool`: it shares them with other runs that gain little from cache, or that wait for a partition;
 * - `counted`: nothing holds them, they are only accounted for. What the kernel then does about it is the
 *   `Enforcement`: enforced, shared, unenforced.
 */
import type { DomainCapacity, Hold, RunShare } from '../../../protocols/schema/capacity.ts';
import type { Outcome } from '../../../protocols/schema/outcome.ts';
import type { CacheUse, Enforcement } from '../../../protocols/schema/run.ts';

export interface PartitionRequest {
  readonly runId: string;
  readonly attempt: number;
  /** Id of the LLC domain. */
  readonly domain: number;
  readonly ways: number;
  /** Whether it gains from cache of its own; others share the pool. */
  readonly sensitive: boolean;
}

/** Why a run can't be taken; the master queues it again. That ways can't be enforced is no refusal. */
export interface PartitionRefusal {
  readonly code: 'UNKNOWN_DOMAIN' | 'BAD_WAYS' | 'FULL' | 'STOPPING';
  readonly message: string;
}

export const STOPPING: PartitionRefusal = { code: 'STOPPING', message: 'this node lends no cache now' };

export interface Standing {
  readonly enforcement: Enforcement;
  /** Why enforcement is not `enforced`. */
  readonly reason: string | null;
}

export const ENFORCED: Standing = { enforcement: 'enforced', reason: null };

export const unenforced = (reason: string): Standing => ({ enforcement: 'unenforced', reason });

/** Ways lent to one attempt. Its fields tell what is true now: a lease moves up, is moved, or is lost. */
export interface Lease extends Standing {
  readonly runId: string;
  readonly attempt: number;
  readonly domain: number;
  /** That it counts for; at least those of the request. */
  readonly ways: number;
  readonly hold: Hold;
  /** Path of its group in resctrl; null when it has none. */
  readonly group: string | null;
  /** Ways of its domain that it may fill now, as bits; null when nothing holds it. */
  readonly mask: number | null;
  /** The weakest since a process entered, to be recorded with the run: now, while none has. */
  readonly recorded: Standing;
}

/** What is lent of a domain, and to whom. */
export interface LentDomain extends Omit<DomainCapacity, 'cpus'> {
  readonly leases: readonly LentWays[];
}

export type LentWays = Omit<RunShare, 'domain' | 'sensitive'>;

export interface PartitionsView {
  readonly state: 'holding' | 'lost' | 'counting' | 'stopped';
  /** Why nothing is held. */
  readonly reason: string | null;
  readonly domains: readonly LentDomain[];
}

export interface Partitions extends AsyncDisposable {
  start(): Promise<void>;
  /** Gives back everything. Idempotent. */
  stop(): Promise<void>;
  acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>>;
  /** Puts a process in, best before its first instruction, and reads back that it is. */
  enter(lease: Lease, pid: number): Promise<Standing>;
  /** Idempotent. The standing of the lease stays readable. */
  release(lease: Lease): Promise<void>;
  /** Reads the counters once more, and sums up the life of the lease so far. Of a lease that is gone: what was seen. */
  observe(lease: Lease): Promise<CacheUse>;
  view(): PartitionsView;
}

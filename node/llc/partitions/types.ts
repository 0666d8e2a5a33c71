/**
 * The contract between the worker and whatever holds its runs to their ways of the cache: resctrl (`PartitionManager`), or
 * nothing but accounts (`UnenforcedPartitions`).
 */
import type { Outcome } from '../../../protocols/schema/outcome.ts';
import type { CacheUse, Enforcement } from '../../state/types.ts';

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

export interface Standing {
  readonly enforcement: Enforcement;
  /** Why enforcement is not `enforced`. */
  readonly reason: string | null;
}

/** Ways lent to one attempt. Its fields tell what is true now: a lease moves up, is moved, or is lost. */
export interface Lease extends Standing {
  readonly runId: string;
  readonly attempt: number;
  readonly domain: number;
  /** That it counts for; at least those of the request. */
  readonly ways: number;
  /** Path of its group in resctrl; null when it has none. */
  readonly group: string | null;
  /** Ways of its domain that it may fill now, as bits; null when nothing holds it. */
  readonly mask: number | null;
  /** The weakest since a process entered, to be recorded with the run: now, while none has. */
  readonly recorded: Standing;
}

export interface DomainView {
  readonly id: number;
  readonly ways: number;
  readonly wayBytes: number;
  /** The fewest that a run can be lent. */
  readonly minWays: number;
  /** Masks: bit n is way n. */
  readonly reserveMask: number;
  readonly foreignMask: number;
  readonly freeMask: number;
  readonly ioMask: number;
  readonly pool: {
    readonly mask: number;
    /** Of memory; null: no limit. */
    readonly bandwidthPercent: number | null;
    readonly members: readonly {
      readonly runId: string;
      readonly attempt: number;
      readonly waiting: boolean;
      /** As of partitions. */
      readonly occupancyBytes: number | null;
    }[];
  } | null;
  readonly partitions: readonly {
    readonly runId: string;
    readonly attempt: number;
    readonly mask: number;
    readonly enforcement: Enforcement;
    /** Last sample. May exceed the mask: old lines stay where they are. */
    readonly occupancyBytes: number | null;
  }[];
  /** Runs that nothing holds. */
  readonly unenforced: readonly { readonly runId: string; readonly attempt: number; readonly ways: number }[];
  /** The most that one run can be lent now. */
  readonly freeWays: number;
}

export interface PartitionsView {
  readonly state: 'holding' | 'lost' | 'accounting' | 'stopped';
  /** Why nothing is held. */
  readonly reason: string | null;
  readonly domains: readonly DomainView[];
  /** Groups of other programs. Those that hold no ways use what everybody may use, ours included. */
  readonly foreignGroups: readonly { readonly name: string; readonly holdsWays: boolean }[];
}

export interface Partitions extends AsyncDisposable {
  start(): Promise<void>;
  /** Gives back everything. Idempotent. */
  stop(): Promise<void>;
  acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>>;
  /** Puts a process in, best before its first instruction, and reads back that it is. */
  enter(lease: Lease, pid: number): Promise<Standing>;
  /** Reads back that the lease still holds. */
  verify(lease: Lease): Promise<Standing>;
  /** Idempotent. The standing of the lease stays readable. */
  release(lease: Lease): Promise<void>;
  /** Reads the counters once more, and sums up the life of the lease so far. Of a lease that is gone: what was seen. */
  observe(lease: Lease): Promise<CacheUse>;
  /** The most ways that one run can be lent in a domain now; 0 for a domain that isn't there. */
  freeWays(domain: number): number;
  view(): PartitionsView;
}

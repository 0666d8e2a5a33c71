/**
 * Gossip: messages that are always being replaced. Each is signed by its author (gossipsub's StrictSign)
 * and is heeded only when the author is a member and speaks for itself; a hint, never a decision.
 *
 * Keep the messages small and coalesced: gossipsub sends without back-pressure.
 */
/** Bit n is way n. */
export interface DomainMasks {
  /** Of everything that isn't ours. */
  readonly reserve: number;
  /** Of other programs that use resctrl. */
  readonly foreign: number;
  /** That I/O devices fill too. */
  readonly io: number;
  /** Of the runs that share; 0 while there are none. */
  readonly pool: number;
}

/** What a run has its ways by: a partition of its own, a place in the shared pool, or accounts alone. */
export type Hold = 'partition' | 'pool' | 'counted';

/** Gossiped by every member: its capacity, on change and as a heartbeat. */
export interface CapacityNotice {
  readonly node: string;
  readonly name: string;
  readonly version: string;
  /** Grows with each notice of one start of the daemon; `startedAtMs` tells the starts apart. */
  readonly sequence: number;
  readonly startedAtMs: number;
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
  readonly load1: number;
  readonly enforcement: 'enforced' | 'emulated' | 'unenforced';
  readonly domains: readonly {
    readonly id: number;
    readonly cpus: readonly number[];
    readonly ways: number;
    readonly freeWays: number;
    readonly wayBytes: number;
    /** Where ways are that no single run holds; null or absent: not told. */
    readonly masks?: DomainMasks | null;
    /** The fewest ways that a run can be lent there. @default 1 */
    readonly minWays?: number;
    /** That its runs fill; null where nothing is counted. */
    readonly occupancyBytes?: number | null;
    /** Memory bandwidth of its pool; null: no limit, or no pool. */
    readonly poolBandwidthPercent?: number | null;
  }[];
  readonly runs: readonly {
    readonly runId: string;
    readonly attempt: number;
    readonly domain: number;
    /** That it counts for. */
    readonly ways: number;
    /** Ways that it may fill now; null: nothing holds it. */
    readonly mask?: number | null;
    readonly occupancyBytes?: number | null;
    readonly hold?: Hold | null;
    /** Gains nothing from cache of its own: takes its share of a pool, not its ways. @default false */
    readonly insensitive?: boolean;
  }[];
  /** By what its benchmarks can be measured (`ProfilerName`, or a name of a newer version). */
  readonly profilers: readonly string[];
  /** Of the predictor's weights in use, 0: those shipped; null: it uses none. */
  readonly modelVersion: number | null;
  /** Where the model computes; null while nothing is loaded. */
  readonly modelBackend: string | null;
}

/** Gossiped by the master. A hint: nothing is decided by it alone. */
export interface ClusterDigest {
  readonly term: number;
  readonly master: string;
  readonly commitIndex: number;
  readonly versions: {
    readonly members: number;
    readonly tasks: number;
    readonly profiles: number;
    readonly runs: number;
    readonly models: number;
    readonly observations: number;
  };
  readonly queued: number;
  readonly running: number;
}

/** Longest message that is sent or heeded: a node of 1,024 runs needs some 50 KiB. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

export const capacityTopic = (clusterId: string): string => `fsched/1/${clusterId}/capacity`;
export const digestTopic = (clusterId: string): string => `fsched/1/${clusterId}/digest`;

/**
 * Gossip: messages that are always being replaced. Each is signed by its author (gossipsub's StrictSign)
 * and is heeded only when the author is a member and speaks for itself; a hint, never a decision.
 *
 * Keep the messages small and coalesced: gossipsub sends without back-pressure.
 */
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
  }[];
  readonly runs: readonly {
    readonly runId: string;
    readonly attempt: number;
    readonly domain: number;
    readonly ways: number;
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

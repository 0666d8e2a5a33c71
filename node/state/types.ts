/**
 * The replicated tables and the commands that change them. Plain data, JSON-safe; times are milliseconds
 * since the Unix epoch and were read by the proposer, because the state machine has no clock.
 */
import type { Change } from '../../predictor/change.ts';
import type { NodeId } from '../consensus/types.ts';
import type { DroppedModel, ModelVersion } from './model-types.ts';

export type { DroppedModel, LearnedFrom, ModelVersion } from './model-types.ts';

export interface Member {
  readonly id: NodeId;
  readonly name: string;
  /** Multiaddrs without the /p2p part, most useful first. */
  readonly addresses: readonly string[];
  readonly joinedAtMs: number;
}

/** An uploaded file that can be run. Immutable. */
export interface Task {
  readonly id: string;
  /** The *function* name: newest task with a name wins. */
  readonly name: string;
  readonly fileName: string;
  readonly sha256: string;
  readonly size: number;
  /** How it is started when the request doesn't say. */
  readonly command: string | null;
  readonly createdAtMs: number;
}

/** Which instrument measured a profile. `wallclock` says nothing about cache. */
export type ProfilerName = 'wallclock' | 'cachegrind' | 'resctrl';

/** How a run of a benchmark is measured: with so many ways, simulated or real, of the cache that the profile is about. */
export interface Measure {
  readonly profiler: ProfilerName;
  readonly ways: number;
  readonly wayBytes: number;
}

/** What an instrument read of one execution. */
export interface Measurement {
  readonly seconds: number;
  /** What a simulation counted, over all processes of the program; null when it was timed. */
  readonly counts: {
    readonly cycles: number;
    readonly iRefs: number;
    readonly l1Misses: number;
    readonly llMisses: number;
  } | null;
  /** When more than one process was simulated; absent or null else. */
  readonly processes?: ProcessCensus | null;
}

/** Counts are added up over all processes of a program, which may be more than it looks. */
export interface ProcessCensus {
  readonly count: number;
  /** Command of the process with the most cycles, and its share of all, 0..1. */
  readonly mostly: string;
  readonly share: number;
}

export interface ProfilePoint {
  readonly ways: number;
  /** Raw samples, seconds. */
  readonly seconds: readonly number[];
}

export interface Profile {
  readonly taskId: string;
  readonly inputSize: number;
  readonly command: string;
  readonly profiler: ProfilerName;
  /** Why another profiler than the best was taken; absent or null when it wasn't. */
  readonly note?: string | null;
  /** The cache that was measured. A simulated one may be cut into other ways than the machine's, of the same size in all. */
  readonly ways: number;
  readonly wayBytes: number;
  readonly cpuModel: string;
  readonly node: NodeId;
  readonly points: readonly ProfilePoint[];
  readonly measuredAtMs: number;
}

/** The time of one run that succeeded, as evidence of how its task behaves. */
export interface RunTime {
  readonly seconds: number;
  /** Ways that it was lent; whether they were held says `enforcement`. */
  readonly ways: number;
  readonly llc: Llc;
  readonly enforcement: Enforcement;
  readonly atMs: number;
}

/** The last times of one task with one command at one input size. */
export interface RunTimes {
  readonly taskId: string;
  readonly command: string;
  readonly inputSize: number;
  /** In the order in which they were recorded. */
  readonly times: readonly RunTime[];
  /** Since when the task takes another time here; null: it behaves as it always did. */
  readonly change: Change | null;
}

export type Mode = 'INOP' | 'BENCHMARKED' | 'ASSISTED';
export type Enforcement = 'enforced' | 'shared' | 'unenforced';
export type TerminalState = 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost';
export type RunState = 'queued' | 'assigned' | 'running' | TerminalState;

/** Captured output: small ones travel in the record, large ones are files found by SHA-256. */
export type Output =
  | {
      readonly kind: 'inline';
      readonly encoding: 'utf8' | 'base64';
      readonly data: string;
      readonly size: number;
      readonly truncated: boolean;
    }
  | { readonly kind: 'blob'; readonly sha256: string; readonly size: number; readonly truncated: boolean };

/** Of one counter over the life of a run. */
export interface CounterSummary {
  readonly last: number;
  readonly peak: number;
  readonly mean: number;
}

/** What was seen of a run's use of cache and memory. Null where a counter said nothing: no monitoring, or `Unavailable`. */
export interface CacheUse {
  readonly samples: number;
  /** Of its LLC domain. May exceed its ways: old lines stay where they are. */
  readonly occupancyBytes: CounterSummary | null;
  /** To and from all memory. */
  readonly bandwidthBytesPerSecond: CounterSummary | null;
  /** To and from the memory of its own NUMA node. */
  readonly localBandwidthBytesPerSecond: CounterSummary | null;
}

export interface RunResult {
  readonly pid: number | null;
  /** 0..255; 128 + signal number when a signal ended it; 127 when the command could not be started. */
  readonly exitStatus: number;
  readonly signal: string | null;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Wall time of the program alone. */
  readonly executionTimeNs: number;
  /** Absent or null when nobody asked for one, or the program did not succeed. */
  readonly measurement?: Measurement | null;
  readonly startedAtMs: number;
  /** Ids of the CPUs that it was pinned to; empty when it could not be pinned. */
  readonly cpus: readonly number[];
  readonly enforcement: Enforcement;
  /** Why enforcement is not `enforced`. */
  readonly enforcementReason: string | null;
  /** Null without counters; absent from records of older versions. */
  readonly cacheUse?: CacheUse | null;
  /** Null when no program was started; absent from records of older versions. */
  readonly isolation?: Isolation | null;
  /** The cache that it ran on, as its node knows it; absent from records of older versions, null when nothing was started. */
  readonly llc?: Llc | null;
}

/** A last-level cache, as far as times of runs on it can be compared. */
export interface Llc {
  readonly ways: number;
  readonly wayBytes: number;
  readonly cpuModel: string;
}

/** What kept the program from the machine and from other programs. */
export interface Isolation {
  /** Name of the user that it ran as. */
  readonly user: string;
  /** What held its limits: a control group for all its processes together, or prlimit for each. */
  readonly limits: 'cgroup' | 'prlimit' | 'none';
  readonly sandbox: 'bubblewrap' | 'none';
  /** Whether it could reach the network. */
  readonly network: boolean;
  /** Whether it was kept to the CPUs of its LLC domain. */
  readonly pinned: boolean;
}

/** Where a run is placed. `term` and `attempt` fence it. */
export interface Assignment {
  readonly node: NodeId;
  /** LLC domain id on that node. */
  readonly domain: number;
  readonly ways: number;
  readonly term: number;
  readonly attempt: number;
  readonly atMs: number;
}

/** From what the model said to the ways that a run wants. */
export interface RunChoice {
  /** The fewest that keep the slowdown within `maxSlowdown`. */
  readonly needed: number;
  readonly ways: number;
  /** Expected slowdown with `ways`, relative to the full cache. */
  readonly expected: number;
  /** The slowdown is surely at most this. */
  readonly atMost: number;
  /** What the request allowed. */
  readonly maxSlowdown: number;
  readonly model: string;
  /** Null for a method without weights. */
  readonly modelVersion: number | null;
}

/** What a run needs; fixed when it is accepted. */
export interface RunSpec {
  readonly id: string;
  readonly taskId: string;
  readonly command: string;
  readonly inputSize: number;
  /** JSON text for standard input and FSCHED_PARAMETERS; null: neither is given. */
  readonly parameters: string | null;
  /** What `parameters` were, once the run is over: nobody runs them again, and ten thousand runs keep theirs. Absent: see `parameters`. */
  readonly droppedParameters?: { readonly bytes: number; readonly sha256: string };
  readonly purpose: 'run' | 'benchmark';
  readonly mode: Mode;
  /** Ways wanted; clamped to the largest domain at placement. */
  readonly ways: number;
  /** Why so many; absent or null for benchmarks, in mode `INOP`, and in records of older versions. */
  readonly choice?: RunChoice | null;
  /** Where it must run (benchmarks stay on one domain); null: anywhere. */
  readonly pinnedTo: { readonly node: NodeId; readonly domain: number } | null;
  /** Whether it gains from cache of its own; if not it belongs into the shared pool, and counts for its share of it. Absent: true. */
  readonly sensitive?: boolean;
  /** Absent or null: not measured. `ways` above stays what is reserved. */
  readonly measure?: Measure | null;
  readonly timeLimitMs: number;
  readonly idempotencyKey: string | null;
  readonly createdAtMs: number;
}

export interface Run {
  readonly spec: RunSpec;
  readonly state: RunState;
  /** The current or last placement. */
  readonly assignment: Assignment | null;
  /** How many attempts were ever assigned. */
  readonly attempts: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly result: RunResult | null;
  /** What went wrong and what to do, for people; null when nothing did. */
  readonly error: string | null;
}

export type Command =
  | { readonly type: 'member-put'; readonly member: Member }
  | { readonly type: 'member-remove'; readonly id: NodeId }
  | { readonly type: 'task-create'; readonly task: Task }
  | { readonly type: 'profile-put'; readonly profile: Profile }
  | { readonly type: 'run-create'; readonly spec: RunSpec; readonly assignment: Assignment | null }
  | { readonly type: 'run-assign'; readonly runId: string; readonly assignment: Assignment }
  | {
      readonly type: 'run-start';
      readonly runId: string;
      readonly term: number;
      readonly attempt: number;
      readonly atMs: number;
    }
  | {
      readonly type: 'run-finish';
      readonly runId: string;
      readonly term: number;
      readonly attempt: number;
      readonly state: Exclude<TerminalState, 'lost'>;
      readonly result: RunResult | null;
      readonly error: string | null;
      readonly atMs: number;
    }
  /** The attempt came to nothing (refused, node gone): back to the queue, or `lost` when attempts are used up. */
  | {
      readonly type: 'run-requeue';
      readonly runId: string;
      readonly attempt: number;
      readonly reason: string;
      readonly atMs: number;
    }
  | { readonly type: 'run-cancel'; readonly runId: string; readonly atMs: number }
  /** Becomes the current version, with the next number; `STALE` unless it was trained from the current one. */
  | { readonly type: 'model-put'; readonly model: Omit<ModelVersion, 'version'> }
  | { readonly type: 'model-drop'; readonly model: DroppedModel }
  /** Back or forth to a version that is known, 0: what the program ships with. */
  | { readonly type: 'model-select'; readonly version: number };

export type ApplyResult =
  | { readonly ok: true; readonly runId?: string; readonly modelVersion?: number }
  /** `EXISTS` of a run-create carries the run that the idempotency key already made. */
  | {
      readonly ok: false;
      readonly code: 'STALE' | 'NOT_FOUND' | 'EXISTS' | 'MALFORMED';
      readonly runId?: string;
    };

/** Counts changes, so that two nodes can tell at a glance whether they hold the same. */
export interface TableVersions {
  readonly members: number;
  readonly tasks: number;
  readonly profiles: number;
  readonly runs: number;
  readonly models: number;
  readonly observations: number;
}

/**
 * Calls between members: one short stream a call, one request, one response, each a frame.
 * The types mirror those of `node/`, which this room may not import.
 */
export const CONTROL_PROTOCOL = '/fsched/control/1.0.0';
/** A report carries up to 1 MiB of each output stream, or what the node was configured to keep. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
/** @default of a call's time limit */
export const CALL_LIMIT_MS = 5000;
/** The answerer gives up later than any caller. */
export const SERVE_LIMIT_MS = 60_000;

export interface CapturedOutput {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
}

export interface Isolation {
  readonly user: string;
  readonly limits: 'cgroup' | 'prlimit' | 'none';
  readonly sandbox: 'bubblewrap' | 'none';
  readonly network: boolean;
  readonly pinned: boolean;
}

export interface AttemptResult {
  readonly pid: number | null;
  readonly exitStatus: number;
  readonly signal: string | null;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
  readonly executionTimeNs: number;
  readonly measurement?: Measurement | null;
  readonly startedAtMs: number;
  readonly cpus: readonly number[];
  readonly enforcement: 'enforced' | 'shared' | 'unenforced';
  readonly enforcementReason: string | null;
  readonly cacheUse?: CacheUse | null;
  readonly isolation?: Isolation | null;
  readonly llc?: Llc | null;
}

export interface Llc {
  readonly ways: number;
  readonly wayBytes: number;
  readonly cpuModel: string;
}

export interface CounterSummary {
  readonly last: number;
  readonly peak: number;
  readonly mean: number;
}

export interface CacheUse {
  readonly samples: number;
  readonly occupancyBytes: CounterSummary | null;
  readonly bandwidthBytesPerSecond: CounterSummary | null;
  readonly localBandwidthBytesPerSecond: CounterSummary | null;
}

export interface AttemptReport {
  readonly runId: string;
  readonly attempt: number;
  readonly term: number;
  readonly state: 'succeeded' | 'failed' | 'timed_out' | 'cancelled';
  readonly result: AttemptResult | null;
  readonly error: string | null;
  readonly atMs: number;
}

export interface Measurement {
  readonly seconds: number;
  readonly counts: {
    readonly cycles: number;
    readonly iRefs: number;
    readonly l1Misses: number;
    readonly llMisses: number;
  } | null;
  readonly processes?: ProcessCensus | null;
}

export interface ProcessCensus {
  readonly count: number;
  readonly mostly: string;
  readonly share: number;
}

export interface Measure {
  readonly profiler: 'wallclock' | 'cachegrind' | 'resctrl';
  readonly ways: number;
  readonly wayBytes: number;
}

/** The master's order to carry out one attempt of a run. Fenced by (term, attempt). */
export interface Dispatch {
  readonly runId: string;
  readonly attempt: number;
  readonly term: number;
  readonly taskId: string;
  readonly fileName: string;
  readonly sha256: string;
  readonly command: string;
  readonly inputSize: number;
  readonly parameters: string | null;
  readonly timeLimitMs: number;
  readonly domain: number;
  readonly ways: number;
  /** How it is measured. @default null */
  readonly measure?: Measure | null;
  /** Whether it gains from cache of its own; if not it belongs into the shared pool. @default true */
  readonly sensitive?: boolean;
}

/** An attempt that this worker is carrying out, or has finished and not yet handed in. */
export interface HeldAttempt {
  readonly runId: string;
  readonly attempt: number;
  readonly term: number;
  readonly domain: number;
  readonly ways: number;
  readonly phase: 'running' | 'reporting';
}

/** Calls between members; one short stream a call. */
export type ControlRequest =
  /** To the master: commit this member (a new one, or one whose address or name changed). */
  | {
      readonly type: 'admit';
      readonly member: { readonly id: string; readonly name: string; readonly addresses: readonly string[] };
    }
  /** To the master: an attempt has started. */
  | {
      readonly type: 'started';
      readonly runId: string;
      readonly attempt: number;
      readonly term: number;
      readonly atMs: number;
    }
  /** To the master: an attempt is over. */
  | { readonly type: 'report'; readonly report: AttemptReport }
  /** To a worker. */
  | { readonly type: 'dispatch'; readonly dispatch: Dispatch }
  | { readonly type: 'cancel'; readonly runId: string; readonly attempt: number }
  /** To a worker: what do you hold? */
  | { readonly type: 'held' }
  /** To a worker: output so far of an attempt that runs. */
  | {
      readonly type: 'output';
      readonly runId: string;
      readonly attempt: number;
      readonly stream: 'stdout' | 'stderr';
      readonly offset: number;
    };

export type ControlResponse =
  | { readonly type: 'ok' }
  | { readonly type: 'not-master'; readonly master: string | null }
  /** An expected refusal; `code` is of the request's own room (for example a DispatchRefusal code). */
  | { readonly type: 'refused'; readonly code: string; readonly message: string }
  | { readonly type: 'held'; readonly attempts: readonly HeldAttempt[] }
  | { readonly type: 'output'; readonly bytes: Uint8Array; readonly ended: boolean };

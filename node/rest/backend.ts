/**
 * What the REST room needs of the daemon. It is implemented by `node/daemon.ts` and by a fake in tests.
 * Every method but `authority` is called only on the node that is master.
 */
import type { Duplex, Readable } from 'node:stream';
import type { WayChoice } from '../../predictor/choose-ways.ts';
import type { CacheGeometry, MeasuredCurve, Prediction, PredictorInfo } from '../../predictor/types.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { ConsensusStatus, NodeId } from '../consensus/types.ts';
import type { DomainMasks, Hold } from '../mesh/types.ts';
import type {
  DroppedModel,
  LearnedFrom,
  Member,
  Mode,
  ModelVersion,
  Profile,
  ProfilerName,
  Run,
  RunState,
  TableVersions,
  Task,
} from '../state/types.ts';

/** Who answers a request that only the master can answer. */
export type Authority =
  | { readonly kind: 'self' }
  /** `open` gives a byte stream to the master's own HTTP server. */
  | { readonly kind: 'other'; readonly master: NodeId; readonly open: () => Promise<Duplex> }
  | { readonly kind: 'none'; readonly reason: string; readonly retryAfterSeconds: number };

/** A refusal that a client sees: `message` says what to do. The REST room maps `code` to a status. */
export interface ApiFailure {
  readonly code:
    | 'BAD_REQUEST' // 400
    | 'NOT_FOUND' // 404
    | 'CONFLICT' // 409
    | 'TOO_LARGE' // 413
    | 'UNPROCESSABLE' // 422: understood, but the program failed (a benchmark)
    | 'QUEUE_FULL' // 429, Retry-After
    | 'WORKER_UNRESPONSIVE' // 500, as the seed's README documents
    | 'NO_MASTER' // 503, Retry-After
    | 'UNAVAILABLE'; // 503, Retry-After
  readonly message: string;
  readonly retryAfterSeconds?: number;
}
export type Answer<T> = Outcome<T, ApiFailure>;

export interface Upload {
  readonly fileName: string;
  readonly content: Readable;
  /**
   * The form's other fields. A client may send them after the file, so they are known only once `content` has ended:
   * called before that, it throws. `name` is the function name; null: the file name without its extension.
   */
  readonly fields: () => { readonly name: string | null; readonly command: string | null };
}

export interface ExecuteRequest {
  readonly taskId: string;
  readonly command: string;
  readonly inputSize: number;
  readonly timeLimitMs: number | null;
  readonly idempotencyKey: string | null;
}

export interface RunRequest extends ExecuteRequest {
  /** How much slower than with the full cache it may be, 1 or more; null: the default. */
  readonly maxSlowdown: number | null;
}

/** Its runs are many, so no key stands for them. */
export interface BenchmarkRequest extends ExecuteRequest {
  readonly profiler: ProfilerName | 'auto';
  /** That it may take, 2 or more; null: as many as it takes to know the curve. */
  readonly executions: number | null;
}

export interface SubmitRequest {
  readonly functionName: string;
  readonly parameters: unknown;
  readonly maxSlowdown: number | null;
  readonly idempotencyKey: string | null;
}

export interface TaskView {
  readonly task: Task;
  readonly profiles: readonly Profile[];
  /** Null while it behaves as it was measured. */
  readonly drift: DriftView | null;
}

export interface DriftView {
  readonly sinceMs: number;
  readonly inputSize: number;
  readonly ways: number;
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
  /** One sentence for people. */
  readonly message: string;
}

/** A run with its outputs at hand, for a finished run; texts are decoded, binary bytes replaced by U+FFFD. */
export interface RunView {
  readonly run: Run;
  readonly stdout: string | null;
  readonly stderr: string | null;
}

export interface MemberView {
  readonly member: Member;
  readonly role: 'master' | 'voter' | 'learner';
  /** Host or IP of the member's mesh address. */
  readonly host: string;
  readonly alive: boolean;
  /** Milliseconds since it was last heard; null: never. */
  readonly lastHeardMs: number | null;
  readonly capacity: CapacityView | null;
}

export interface CapacityView {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryBytes: number;
  readonly freeMemoryBytes: number;
  readonly load1: number;
  readonly domains: readonly {
    readonly id: number;
    readonly cpus: readonly number[];
    readonly ways: number;
    readonly freeWays: number;
    readonly wayBytes: number;
    /** Where ways are that no single run holds; null: its node doesn't tell. */
    readonly masks: DomainMasks | null;
    /** That its runs fill; null where nothing is counted. */
    readonly occupancyBytes: number | null;
    /** Memory bandwidth of its pool; null: no limit, or no pool. */
    readonly poolBandwidthPercent: number | null;
    readonly runs: readonly {
      readonly runId: string;
      readonly attempt: number;
      readonly ways: number;
      readonly hold: Hold | null;
      readonly mask: number | null;
      readonly occupancyBytes: number | null;
    }[];
  }[];
  readonly enforcement: 'enforced' | 'emulated' | 'unenforced';
  readonly version: string;
  readonly profilers: readonly string[];
  /** Of the predictor's weights that it uses; null: none. */
  readonly modelVersion: number | null;
  readonly modelBackend: string | null;
}

export interface ClusterView {
  readonly clusterId: string;
  readonly consensus: ConsensusStatus;
  readonly members: readonly MemberView[];
  readonly versions: TableVersions;
  readonly queued: number;
  readonly running: number;
  /** `healthy`, or what is wrong and what to do. */
  readonly health: { readonly state: 'healthy' | 'degraded'; readonly reasons: readonly string[] };
}

export interface RunFilter {
  readonly state: RunState | null;
  readonly taskId: string | null;
  /** At most this many, newest first. */
  readonly limit: number;
}

export interface PredictorView {
  /** What answers on the master. */
  readonly info: PredictorInfo;
  readonly generosity: number;
  /** The version that every node should use; 0: what the program ships with. */
  readonly current: number;
  /** Oldest first. */
  readonly versions: readonly ModelVersion[];
  readonly dropped: readonly DroppedModel[];
  readonly nodes: readonly {
    readonly member: Member;
    readonly alive: boolean;
    /** Null: it uses no weights, or was not heard yet. */
    readonly version: number | null;
    readonly backend: string | null;
  }[];
  readonly training: TrainingView;
}

export interface TrainingView {
  readonly running: { readonly sinceMs: number; readonly learned: LearnedFrom } | null;
  /** What became of the last training under this master; null: there was none. */
  readonly last: string | null;
}

export interface ExplainRequest {
  readonly task: { readonly id: string } | { readonly name: string };
  readonly inputSize: number;
  readonly maxSlowdown: number | null;
}

/** How many ways a run would get now, and why. */
export interface Explanation {
  readonly task: Task;
  readonly inputSize: number;
  readonly mode: Mode;
  readonly ways: number;
  readonly choice: WayChoice | null;
  readonly why: string;
  readonly maxSlowdown: number;
  readonly generosity: number;
  readonly geometry: CacheGeometry;
  readonly curves: readonly MeasuredCurve[];
  readonly prediction: Prediction;
  readonly model: PredictorInfo;
  readonly drift: DriftView | null;
}

export interface RestBackend {
  authority(): Authority;
  /** This node's own state for /healthz; needs no master. */
  localHealth(): {
    readonly id: NodeId;
    readonly name: string;
    readonly version: string;
    readonly consensus: ConsensusStatus;
    readonly enforcement: string;
    readonly uptimeSeconds: number;
    /** Of the predictor's weights that it uses; null: none. */
    readonly modelVersion: number | null;
    /** Set when it was removed from its cluster: what to do. */
    readonly removed: string | null;
  };
  createTask(upload: Upload): Promise<Answer<Task>>;
  tasks(): readonly Task[];
  task(id: string): TaskView | null;
  /** Waits for the end of the run. `mode: 'INOP'`: nothing was run. `signal` aborts when the client hangs up; the run goes on. */
  run(
    request: RunRequest,
    signal: AbortSignal,
  ): Promise<Answer<{ readonly mode: 'INOP' } | { readonly mode: Mode; readonly view: RunView }>>;
  /** `signal` aborts when the client hangs up; the benchmark is then cancelled. */
  benchmark(request: BenchmarkRequest, signal: AbortSignal): Promise<Answer<Profile>>;
  /** Accepts and returns at once. */
  submit(request: SubmitRequest): Promise<Answer<Run>>;
  /** Waits at most `waitMs` for the end of a run and returns it as it then is. */
  awaitRun(id: string, waitMs: number, signal: AbortSignal): Promise<Answer<RunView>>;
  runs(filter: RunFilter): readonly Run[];
  runView(id: string): Promise<RunView | null>;
  /** The bytes of one stream so far; with `follow` also those to come, until the run is over. */
  output(
    id: string,
    stream: 'stdout' | 'stderr',
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): Promise<Answer<Readable>>;
  cancelRun(id: string): Promise<Answer<Run>>;
  addWorker(host: string): Promise<Answer<Member>>;
  removeWorker(id: string): Promise<Answer<Member>>;
  cluster(): ClusterView;
  generosity(): number;
  predictor(): PredictorView;
  /** Back or forth to a version that is known. */
  selectModel(version: number): Promise<Answer<void>>;
  /** Begins a training; what it learns from. */
  trainModel(): Promise<Answer<LearnedFrom>>;
  explain(request: ExplainRequest): Promise<Answer<Explanation>>;
}

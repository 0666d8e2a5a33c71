/**
 * What the REST room needs of the daemon. `node/service/backend.ts` implements it, and a fake in tests.
 * The methods up to `nodePrincipal` are called on any node, the others only on the one that is master.
 */
import type { Duplex, Readable } from 'node:stream';
import type { WayChoice } from '../../predictor/choose-ways.ts';
import type { CacheGeometry, MeasuredCurve, Prediction, PredictorInfo } from '../../predictor/types.ts';
import type { NodeId } from '../../protocols/schema/fields.ts';
import type { Member } from '../../protocols/schema/member.ts';
import type { DroppedModel, LearnedFrom, ModelVersion } from '../../protocols/schema/model.ts';
import type { Answer, Outcome } from '../../protocols/schema/outcome.ts';
import type { Mode, Run, RunState } from '../../protocols/schema/run.ts';
import type { Profile, Task } from '../../protocols/schema/task.ts';
import type { AuditEntry, TokenId } from '../../protocols/schema/token.ts';
import type { ClusterView, ConsensusView, DriftView } from '../../protocols/schema/views.ts';
import type { Room } from '../disk/reserve.ts';
import type {
  AuditFilter,
  BenchmarkRequest,
  Deed,
  ExplainRequest,
  RunRequest,
  SubmitRequest,
  TokenRequest,
  Upload,
} from '../master/requests.ts';
import type { KnownToken, MadeToken } from '../master/token-service.ts';
import type { TrainingView } from '../master/trainer.ts';
import type { BearerFault, Principal } from './principal.ts';

/** Who answers a request that only the master can answer. */
export type Authority =
  | { readonly kind: 'self' }
  /** `open` gives a byte stream to the master's own HTTP server. */
  | { readonly kind: 'other'; readonly master: NodeId; readonly open: () => Promise<Duplex> }
  | { readonly kind: 'none'; readonly reason: string; readonly retryAfterSeconds: number };

export interface TaskView {
  readonly task: Task;
  readonly profiles: readonly Profile[];
  /** Null while it behaves as it was measured. */
  readonly drift: DriftView | null;
}

/** A run with its outputs at hand, for a finished run; texts are decoded, binary bytes replaced by U+FFFD. */
export interface RunView {
  readonly run: Run;
  readonly stdout: string | null;
  readonly stderr: string | null;
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
  }[];
  readonly training: TrainingView;
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
    readonly consensus: ConsensusView;
    /** Frames of other members that counted for nothing. */
    readonly objections: readonly {
      readonly peer: NodeId;
      readonly objection: string;
      readonly count: number;
    }[];
    readonly enforcement: string;
    readonly uptimeSeconds: number;
    /** Of the predictor's weights that it uses; null: none. */
    readonly modelVersion: number | null;
    /** Set when it was removed from its cluster: what to do. */
    readonly removed: string | null;
    /** What its operator must mend, a clause each. */
    readonly troubles: readonly string[];
    /** How its disk stands; null while that isn't known. */
    readonly room: Room | null;
  };
  /**
   * Whom a token makes known.
   * @param mayWait asked before a token that isn't known is waited for; what it throws is thrown
   */
  bearer(token: string, mayWait: () => Promise<void>): Promise<Outcome<Principal, BearerFault>>;
  /** A member, for whom it lets in without a token; `null`: this node. Null: it is no member. */
  nodePrincipal(id: NodeId | null): Principal | null;
  createTask(upload: Upload): Promise<Answer<Task>>;
  tasks(): readonly Task[];
  task(id: string): TaskView | null;
  /**
   * Waits for the end of the run. `mode: 'INOP'`: nothing was run. `signal` aborts when the client hangs up; the run
   * goes on.
   */
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
  removeWorker(id: string): Promise<Answer<{ readonly revokedTokens: readonly TokenId[] }>>;
  /** Newest first. */
  tokens(): readonly KnownToken[];
  /** `by`: who asks. */
  createToken(request: TokenRequest, by: string): Promise<Answer<MadeToken>>;
  rotateToken(id: TokenId, by: string): Promise<Answer<MadeToken>>;
  revokeToken(id: TokenId): Promise<Answer<KnownToken>>;
  /** Writes into the audit trail what is about to be done. */
  record(deed: Deed): Promise<Answer<void>>;
  /** Newest first. */
  auditTrail(filter: AuditFilter): readonly AuditEntry[];
  cluster(): ClusterView;
  generosity(): number;
  predictor(): PredictorView;
  /** Back or forth to a version that is known. */
  selectModel(version: number): Promise<Answer<void>>;
  /** Begins a training; what it learns from. */
  trainModel(): Promise<Answer<LearnedFrom>>;
  explain(request: ExplainRequest): Promise<Answer<Explanation>>;
}

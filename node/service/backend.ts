/** The daemon as the REST room sees it: reads from the tables, writes through the master while this node is it. */
import type { Duplex, Readable } from 'node:stream';
import type { ModelHost } from '../../predictor/model-host.ts';
import type { BlobShelf } from '../../protocols/blob/index.ts';
import type { Member } from '../../protocols/schema/member.ts';
import type { LearnedFrom } from '../../protocols/schema/model.ts';
import { type Answer, type ApiFailure, fail, succeed } from '../../protocols/schema/outcome.ts';
import type { Mode, Output, Run } from '../../protocols/schema/run.ts';
import type { Profile, Task } from '../../protocols/schema/task.ts';
import type { AuditEntry } from '../../protocols/schema/token.ts';
import type { ClusterView } from '../../protocols/schema/views.ts';
import type { Consensus, NodeId } from '../consensus/types.ts';
import type { Room } from '../disk/reserve.ts';
import type { Master } from '../master/master.ts';
import type {
  AuditFilter,
  BenchmarkRequest,
  ExplainRequest,
  RunRequest,
  SubmitRequest,
  Upload,
} from '../master/requests.ts';
import { taskEvidence, viewDrift } from '../master/way-planner.ts';
import { REMOVED } from '../membership/membership.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Clock } from '../ports.ts';
import type {
  Authority,
  Explanation,
  PredictorView,
  RestBackend,
  RunFilter,
  RunView,
  TaskView,
} from '../rest/backend.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';
import type { BlobKeeper } from '../store/blob-keeper.ts';
import type { Bearers } from './bearers.ts';
import { type ClusterViewDependencies, viewCluster } from './cluster-view.ts';
import { decodeText, RunOutput, readOutput } from './run-output.ts';
import type { RunWatch } from './run-watch.ts';

export interface BackendOptions {
  readonly name: string;
  readonly version: string;
}

export interface BackendDependencies extends ClusterViewDependencies {
  readonly master: () => Master | null;
  readonly consensus: Pick<Consensus<ApplyResult>, 'status' | 'objections'>;
  readonly tables: Tables;
  readonly mesh: Pick<Mesh, 'id' | 'peers' | 'openHttp' | 'join' | 'call'>;
  readonly shelf: Pick<BlobShelf, 'open'>;
  readonly keeper: BlobKeeper;
  readonly watch: RunWatch;
  readonly host: ModelHost;
  readonly bearers: Pick<Bearers, 'bearer' | 'nodePrincipal'>;
  readonly isRemoved: () => boolean;
  /** What the operator of this node must mend, a clause each. */
  readonly troubles: () => readonly string[];
  /** How its disk stands; null while that isn't known. */
  readonly room: () => Room | null;
  /** How runs of this node are held to their ways. */
  readonly enforcement: () => string;
  readonly invite: (host: string) => Promise<Answer<Member>>;
  readonly clock: Clock;
}

type RunAnswer = { readonly mode: 'INOP' } | { readonly mode: Mode; readonly view: RunView };

const NO_MASTER: ApiFailure = {
  code: 'NO_MASTER',
  message: 'this node is not master any more; try again',
  retryAfterSeconds: 1,
};

export class DaemonBackend implements RestBackend {
  readonly #options: BackendOptions;
  readonly #deps: BackendDependencies;
  readonly #output: RunOutput;
  readonly #startedAtMs: number;

  constructor(options: BackendOptions, dependencies: BackendDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#startedAtMs = dependencies.clock.monotonicMs();
    const { tables, clock, mesh } = dependencies;
    this.#output = new RunOutput({
      tables,
      clock,
      call: mesh.call.bind(mesh),
      read: (output) => this.#read(output),
    });
  }

  authority(): Authority {
    if (this.#deps.master()) return { kind: 'self' };
    const { leader, id } = this.#deps.consensus.status();
    if (leader === null || leader === id || this.#deps.isRemoved()) {
      return { kind: 'none', reason: this.#whyNoMaster(), retryAfterSeconds: 1 };
    }
    return { kind: 'other', master: leader, open: () => this.#openHttp(leader) };
  }

  #whyNoMaster(): string {
    if (this.#deps.isRemoved()) return REMOVED;
    if (this.#deps.clusterId() === null) return 'this node has not joined its cluster yet; its log says why';
    return 'the cluster has no master right now; an election is under way, or a majority of the voters is down';
  }

  localHealth(): ReturnType<RestBackend['localHealth']> {
    return {
      id: this.#deps.mesh.id,
      name: this.#options.name,
      version: this.#options.version,
      consensus: this.#deps.consensus.status(),
      objections: this.#deps.consensus.objections(),
      enforcement: this.#deps.enforcement(),
      modelVersion: this.#deps.host.info().version,
      removed: this.#deps.isRemoved() ? REMOVED : null,
      troubles: this.#deps.troubles(),
      room: this.#deps.room(),
      uptimeSeconds: (this.#deps.clock.monotonicMs() - this.#startedAtMs) / 1000,
    };
  }

  bearer: RestBackend['bearer'] = (token, mayWait) => this.#deps.bearers.bearer(token, mayWait);
  nodePrincipal: RestBackend['nodePrincipal'] = (id) => this.#deps.bearers.nodePrincipal(id);

  async createTask(upload: Upload): Promise<Answer<Task>> {
    return this.#withMaster((master) => master.tasks.create(upload));
  }

  tasks(): readonly Task[] {
    return this.#deps.tables.tasks();
  }

  task(id: string): TaskView | null {
    const { tables, clock } = this.#deps;
    const task = tables.task(id);
    if (!task) return null;
    const { drift } = taskEvidence(tables, task, clock.nowMs());
    return { task, profiles: tables.profiles(id), drift: viewDrift(drift) };
  }

  run(request: RunRequest, signal: AbortSignal): Promise<Answer<RunAnswer>> {
    return this.#withMaster<RunAnswer>(async (master) => {
      const admitted = await master.runs.run(request);
      if (!admitted.ok) return admitted;
      if (!admitted.value) return succeed({ mode: 'INOP' } as const);
      const over = await this.#deps.watch.finished(admitted.value.spec.id, signal);
      if (!over.ok) return over;
      return succeed({ mode: over.value.spec.mode, view: await this.#view(over.value) });
    });
  }

  benchmark(request: BenchmarkRequest, signal: AbortSignal): Promise<Answer<Profile>> {
    return this.#withMaster((master) => master.benchmarks.benchmark(request, signal));
  }

  submit(request: SubmitRequest): Promise<Answer<Run>> {
    return this.#withMaster((master) => master.runs.submit(request));
  }

  async awaitRun(id: string, waitMs: number, signal: AbortSignal): Promise<Answer<RunView>> {
    const outcome = await this.#deps.watch.finished(id, signal, waitMs);
    return outcome.ok ? succeed(await this.#view(outcome.value)) : outcome;
  }

  /** Newest first. */
  runs(filter: RunFilter): readonly Run[] {
    const wanted = [...this.#deps.tables.runs()].filter(
      (run) =>
        (filter.state === null || run.state === filter.state) &&
        (filter.taskId === null || run.spec.taskId === filter.taskId),
    );
    return wanted.slice(-filter.limit).reverse();
  }

  async runView(id: string): Promise<RunView | null> {
    const run = this.#deps.tables.run(id);
    return run ? this.#view(run) : null;
  }

  async output(
    id: string,
    stream: 'stdout' | 'stderr',
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): Promise<Answer<Readable>> {
    return this.#output.open(id, stream, options);
  }

  cancelRun(id: string): Promise<Answer<Run>> {
    return this.#withMaster((master) => master.cancel(id));
  }

  addWorker(host: string): Promise<Answer<Member>> {
    return this.#withMaster(() => this.#deps.invite(host));
  }

  removeWorker: RestBackend['removeWorker'] = (id) => this.#withMaster((master) => master.remove(id));

  tokens: RestBackend['tokens'] = () => this.#deps.master()?.tokens.list() ?? [];
  createToken: RestBackend['createToken'] = (request, by) =>
    this.#withMaster((master) => master.tokens.create(request, by));
  rotateToken: RestBackend['rotateToken'] = (id, by) =>
    this.#withMaster((master) => master.tokens.rotate(id, by));
  revokeToken: RestBackend['revokeToken'] = (id) => this.#withMaster((master) => master.tokens.revoke(id));
  record: RestBackend['record'] = (deed) => this.#withMaster((master) => master.record(deed));

  auditTrail({ limit, sinceMs }: AuditFilter): readonly AuditEntry[] {
    const wanted = this.#deps.tables.audit().filter(({ atMs }) => sinceMs === null || atMs >= sinceMs);
    return wanted.slice(-limit).reverse();
  }

  cluster(): ClusterView {
    return viewCluster(this.#deps);
  }

  generosity(): number {
    return this.#deps.master()?.generosity() ?? 0;
  }

  predictor(): PredictorView {
    const { tables, host } = this.#deps;
    return {
      info: host.info(),
      generosity: this.generosity(),
      current: tables.models.current,
      versions: tables.models.versions,
      dropped: tables.models.dropped,
      nodes: this.cluster().members.map(({ member, alive, capacity }) => ({
        member,
        alive,
        version: capacity?.modelVersion ?? null,
      })),
      training: this.#deps.master()?.trainer.view() ?? { running: null, last: null },
    };
  }

  selectModel(version: number): Promise<Answer<void>> {
    return this.#withMaster((master) => master.selectModel(version));
  }

  trainModel(): Promise<Answer<LearnedFrom>> {
    return this.#withMaster(async (master) => master.trainer.train());
  }

  explain({ task: wanted, inputSize, maxSlowdown }: ExplainRequest): Promise<Answer<Explanation>> {
    return this.#withMaster<Explanation>(async (master) => {
      const { tables } = this.#deps;
      const task = 'id' in wanted ? tables.task(wanted.id) : tables.taskNamed(wanted.name);
      if (!task) {
        const which = 'id' in wanted ? `task ${wanted.id}` : `function ${JSON.stringify(wanted.name)}`;
        return fail({ code: 'NOT_FOUND', message: `there is no ${which}; GET /tasks lists what there is` });
      }
      const plan = await master.planner.plan(task, { command: null, inputSize, maxSlowdown });
      const { evidence, ...rest } = plan;
      return succeed({ ...rest, task, inputSize, curves: evidence.curves, drift: viewDrift(evidence.drift) });
    });
  }

  async #withMaster<T>(work: (master: Master) => Promise<Answer<T>>): Promise<Answer<T>> {
    const master = this.#deps.master();
    return master ? work(master) : fail(NO_MASTER);
  }

  async #openHttp(leader: NodeId): Promise<Duplex> {
    const outcome = await this.#deps.mesh.openHttp(leader);
    if (outcome.ok) return outcome.value;
    throw new Error(`the master can't be reached: ${outcome.error.message}`);
  }

  async #view(run: Run): Promise<RunView> {
    const { result } = run;
    if (!result) return { run, stdout: null, stderr: null };
    const [stdout, stderr] = await Promise.all([this.#text(result.stdout), this.#text(result.stderr)]);
    return { run, stdout, stderr };
  }

  async #text(output: Output): Promise<string | null> {
    const bytes = await this.#read(output);
    return bytes && decodeText(bytes);
  }

  #read(output: Output): Promise<Uint8Array | null> {
    return readOutput(output, this.#deps.shelf, (sha256) => this.#deps.keeper.ensure(sha256));
  }
}

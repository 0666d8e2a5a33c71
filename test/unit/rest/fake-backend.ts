/** A daemon that does nothing, for tests of the REST room: tables in memory, outcomes set by the test. */

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ConsensusStatus } from '../../../node/consensus/types.ts';
import type { Room } from '../../../node/disk/reserve.ts';
import type {
  AuditFilter,
  BenchmarkRequest,
  Deed,
  ExplainRequest,
  RunRequest,
  SubmitRequest,
  TokenRequest,
  Upload,
} from '../../../node/master/requests.ts';
import type { KnownToken, MadeToken } from '../../../node/master/token-service.ts';
import type {
  Authority,
  Explanation,
  PredictorView,
  RestBackend,
  RunFilter,
  RunView,
} from '../../../node/rest/backend.ts';
import type { BearerFault, Principal } from '../../../node/rest/principal.ts';
import { tokenId } from '../../../protocols/proof/token-keys.ts';
import type { Member } from '../../../protocols/schema/member.ts';
import type { LearnedFrom, ModelVersion } from '../../../protocols/schema/model.ts';
import { type Answer, fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { Mode, Run, RunResult } from '../../../protocols/schema/run.ts';
import type { Secret } from '../../../protocols/schema/secret.ts';
import type { Profile, Task } from '../../../protocols/schema/task.ts';
import type { AuditEntry, Scope } from '../../../protocols/schema/token.ts';
import type { ClusterView, DriftView, MemberView } from '../../../protocols/schema/views.ts';
import { apiTokenOf, joinTokenOf, memberOf, resultOf, shareOf, specOf } from '../../builders/nouns.ts';
import { candidate } from '../state/fixtures.ts';

export const SECRET_TOKEN = `fsa_${'5'.repeat(64)}`;
export const NOW = Date.UTC(2025, 0, 31, 12);

export const aTask = (id: string, createdAtMs = NOW): Task => ({
  id,
  name: `name of ${id}`,
  fileName: `${id}.py`,
  sha256: '0'.repeat(64),
  size: 3,
  command: null,
  secrets: [],
  createdAtMs,
});

export const aProfile = (taskId: string, inputSize: number): Profile => ({
  taskId,
  inputSize,
  command: 'python3',
  profiler: 'wallclock',
  note: null,
  ways: 16,
  wayBytes: 1 << 20,
  cpuModel: 'Fake CPU',
  node: 'node-a',
  points: [
    { ways: 1, seconds: [0.03] },
    { ways: 16, seconds: [0.014, 0.016] },
    { ways: 4, seconds: [0.02] },
  ],
  measuredAtMs: NOW,
});

export const aResult: RunResult = resultOf({
  pid: 4242,
  exitStatus: 0,
  signal: null,
  stdout: { kind: 'inline', encoding: 'utf8', data: 'out', size: 3, truncated: true },
  stderr: { kind: 'inline', encoding: 'utf8', data: '', size: 0, truncated: false },
  executionTimeNs: 2_015_000_001,
  startedAtMs: NOW + 10,
  cpus: [0, 1],
  enforcement: 'unenforced',
  enforcementReason: 'no CAT here',
});

export const aRun = (id: string, over: Partial<Run> = {}): Run => ({
  spec: specOf({ id, inputSize: 1024, ways: 6, createdAtMs: NOW }),
  state: 'succeeded',
  assignment: { node: 'node-a', domain: 0, ways: 4, term: 3, attempt: 1, atMs: NOW },
  attempts: 1,
  startedAtMs: NOW + 10,
  finishedAtMs: NOW + 40,
  result: aResult,
  error: null,
  ...over,
});

export const queuedRun = (id: string): Run =>
  aRun(id, {
    state: 'queued',
    assignment: null,
    attempts: 0,
    startedAtMs: null,
    finishedAtMs: null,
    result: null,
  });

const aMember = (id: string, host: string, alive: boolean): MemberView => ({
  member: memberOf(id, { name: `name-${id}`, addresses: [`/ip4/${host}/tcp/8300`], joinedAtMs: NOW }),
  role: alive ? 'master' : 'voter',
  host,
  alive,
  lastHeardMs: alive ? 250.43 : null,
  capacity: alive
    ? {
        cpus: 2,
        cpuModel: 'Fake CPU',
        memoryBytes: 8e9,
        freeMemoryBytes: 4e9,
        load1: 0.5,
        domains: [
          {
            id: 0,
            cpus: [0, 1],
            ways: 16,
            freeWays: 12,
            wayBytes: 1 << 20,
            minWays: 1,
            masks: { reserve: 0xc000, foreign: 0, io: 0, pool: 0 },
            occupancyBytes: 4096,
            poolBandwidthPercent: 50,
            runs: [shareOf({ ways: 4, hold: 'partition', mask: 15, occupancyBytes: 4096 })],
          },
        ],
        enforcement: 'unenforced',
        version: '0.1.0',
        profilers: ['cachegrind', 'wallclock'],
        modelVersion: 3,
        takesRuns: true,
        troubles: [],
      }
    : null,
});

const { sha256: _, size: __, ...aDropped } = candidate({ base: 3 });
export const aModel: ModelVersion = { ...candidate({ trainedAtMs: NOW }), version: 3 };

export const anExplanation: Explanation = {
  task: aTask('t1'),
  inputSize: 1024,
  mode: 'BENCHMARKED',
  ways: 2,
  choice: { ways: 2, needed: 2, expected: 1.01, atMost: 1.04, risk: 0.02, why: '2 of 4 ways' },
  why: '2 of 4 ways',
  maxSlowdown: 1.05,
  generosity: -0.1,
  geometry: { ways: 4, wayBytes: 1 << 20 },
  curves: [
    {
      inputSize: 1024,
      profiler: 'cachegrind',
      wayBytes: 1 << 20,
      points: [
        { ways: 1, seconds: [2.8] },
        { ways: 4, seconds: [1.9, 2.1] },
      ],
    },
  ],
  prediction: {
    mode: 'BENCHMARKED',
    slowdown: [1.4, 1.01, 1, 1],
    quantiles: [
      { level: 0.05, slowdown: [1.3, 1, 1, 1] },
      { level: 0.95, slowdown: [1.5, 1.04, 1.01, 1] },
    ],
    fullCacheSeconds: 2,
  },
  model: { name: 'fake', version: 3, sha256: 'c'.repeat(64), description: 'A fake.' },
  drift: null,
};

/** What became of an upload's content. */
export interface ReceivedUpload {
  readonly fileName: string;
  bytes: number;
  sha256: string | null;
  name: string | null;
  command: string | null;
  secrets: readonly Secret[];
  failed: boolean;
}

export class FakeBackend implements RestBackend {
  authorityNow: Authority = { kind: 'self' };
  authorityAsked = 0;
  readonly uploads: ReceivedUpload[] = [];
  readonly runRequests: (RunRequest | BenchmarkRequest)[] = [];
  readonly submissions: SubmitRequest[] = [];
  readonly aborted: string[] = [];
  readonly tables = { tasks: [aTask('t1', NOW), aTask('t2', NOW + 5)], runs: new Map<string, RunView>() };
  lastFilter: RunFilter | null = null;
  uploadAnswer: ((upload: Upload) => Promise<Answer<Task>>) | null = null;
  /** Called with each run request; by default a finished run. */
  onRun: (
    request: RunRequest,
    signal: AbortSignal,
  ) => Promise<Answer<{ readonly mode: 'INOP' } | { readonly mode: Mode; readonly view: RunView }>> =
    async () => succeed({ mode: 'BENCHMARKED', view: { run: aRun('r1'), stdout: 'out', stderr: '' } });
  onAwait: RestBackend['awaitRun'] = async (id) => succeed({ run: aRun(id), stdout: 'out', stderr: '' });
  onOutput: RestBackend['output'] = async () => succeed(Readable.from([Buffer.from([0, 255, 10])]));
  removeAnswer: Awaited<ReturnType<RestBackend['removeWorker']>> = succeed({ revokedTokens: [] });
  addAnswer: Answer<Member> = succeed(aMember('node-b', '10.0.0.2', false).member);
  benchmarkAnswer: Answer<Profile> | null = null;
  submitAnswer: Answer<Run> | null = null;
  drift: DriftView | null = null;
  leader: string | null = 'node-a';

  constructor() {
    this.tables.runs.set('r1', { run: aRun('r1'), stdout: 'out', stderr: '' });
    this.tables.runs.set('q1', { run: queuedRun('q1'), stdout: null, stderr: null });
  }

  authority(): Authority {
    this.authorityAsked += 1;
    return this.authorityNow;
  }

  consensus(): ConsensusStatus {
    return {
      id: 'node-a',
      role: this.leader === 'node-a' ? 'leader' : 'follower',
      term: 3,
      leader: this.leader,
      ready: true,
      commitIndex: 42,
      appliedIndex: 41,
      lastIndex: 43,
      configuration: { voters: ['node-a'], learners: ['node-b'] },
      vouched: [],
      progress: new Map(),
    };
  }

  removed: string | null = null;
  troubles: readonly string[] = [];
  room: Room | null = null;

  localHealth() {
    return {
      id: 'node-a',
      name: 'alpha',
      version: '9.9.9',
      consensus: this.consensus(),
      objections: [{ peer: 'node-b', objection: 'second-leader' as const, count: 7, lastAtMs: 1 }],
      enforcement: 'unenforced',
      uptimeSeconds: 12.5,
      modelVersion: 3,
      removed: this.removed,
      troubles: this.troubles,
      room: this.room,
    };
  }

  readonly bearers = new Map<string, Outcome<Principal, BearerFault>>();
  /** What members may, this node among them. */
  readonly scopes = new Map<string, Scope>([
    ['node-a', 'admin'],
    ['node-b', 'submit'],
  ]);

  /** A token that holds, with this scope. */
  addToken(token: string, scope: Scope): { readonly authorization: string } {
    const principal = { scope, tokenId: tokenId(token), who: `bearer of ${scope}`, trusted: false };
    this.bearers.set(token, succeed(principal));
    return { authorization: `Bearer ${token}` };
  }
  bearer: RestBackend['bearer'] = async (token) => this.bearers.get(token) ?? fail('UNKNOWN_TOKEN');
  nodePrincipal(id: string | null) {
    const scope = this.scopes.get(id ?? 'node-a');
    return scope === undefined ? null : { scope, tokenId: null, who: `node ${id}`, trusted: id === null };
  }

  async createTask(upload: Upload): Promise<Answer<Task>> {
    const { fileName, content } = upload;
    const received: ReceivedUpload = {
      fileName,
      bytes: 0,
      sha256: null,
      name: null,
      command: null,
      secrets: [],
      failed: false,
    };
    this.uploads.push(received);
    if (this.uploadAnswer !== null) return this.uploadAnswer(upload);
    const hash = createHash('sha256');
    try {
      for await (const chunk of content) {
        received.bytes += (chunk as Buffer).length;
        hash.update(chunk as Buffer);
      }
    } catch {
      received.failed = true;
      return fail({ code: 'BAD_REQUEST', message: 'the upload was broken off' });
    }
    Object.assign(received, upload.fields(), { sha256: hash.digest('hex') });
    return succeed(aTask('task123'));
  }

  tasks = (): readonly Task[] => this.tables.tasks;
  task(id: string) {
    const task = this.tables.tasks.find((candidate) => candidate.id === id);
    return task === undefined ? null : { task, profiles: [aProfile(id, 1024)], drift: this.drift };
  }

  async run(request: RunRequest, signal: AbortSignal) {
    this.runRequests.push(request);
    signal.addEventListener('abort', () => this.aborted.push('run'));
    return this.onRun(request, signal);
  }

  async benchmark(request: BenchmarkRequest): Promise<Answer<Profile>> {
    this.runRequests.push(request);
    return this.benchmarkAnswer ?? succeed(aProfile(request.taskId, request.inputSize));
  }

  async submit(request: SubmitRequest): Promise<Answer<Run>> {
    this.submissions.push(request);
    return this.submitAnswer ?? succeed(queuedRun('q1'));
  }

  awaitRun: RestBackend['awaitRun'] = (id, waitMs, signal) => this.onAwait(id, waitMs, signal);

  runs(filter: RunFilter): readonly Run[] {
    this.lastFilter = filter;
    return [...this.tables.runs.values()].map((view) => view.run);
  }

  async runView(id: string): Promise<RunView | null> {
    return this.tables.runs.get(id) ?? null;
  }

  output: RestBackend['output'] = async (id, stream, options) => {
    if (!this.tables.runs.has(id)) return fail({ code: 'NOT_FOUND', message: `there is no run "${id}"` });
    options.signal.addEventListener('abort', () => this.aborted.push('output'));
    return this.onOutput(id, stream, options);
  };

  async cancelRun(id: string): Promise<Answer<Run>> {
    const view = this.tables.runs.get(id);
    if (view === undefined) return fail({ code: 'NOT_FOUND', message: `there is no run "${id}"` });
    if (view.run.state !== 'queued') return fail({ code: 'CONFLICT', message: 'The run has already ended.' });
    const run = aRun(id, { ...view.run, state: 'cancelled' });
    this.tables.runs.set(id, { ...view, run });
    return succeed(run);
  }

  addWorker = async (): Promise<Answer<Member>> => this.addAnswer;
  removeWorker = async () => this.removeAnswer;

  readonly known: KnownToken[] = [
    { kind: 'api', state: 'active', token: apiTokenOf('a token of a person', { createdAtMs: NOW }) },
    { kind: 'join', state: 'expired', token: joinTokenOf('a token to join by', { createdAtMs: NOW }) },
  ];
  readonly tokenRequests: (TokenRequest & { readonly by: string })[] = [];
  tokens = () => this.known;
  async createToken(request: TokenRequest, by: string): Promise<Answer<MadeToken>> {
    this.tokenRequests.push({ ...request, by });
    const known = this.known.find(({ kind }) => kind === request.kind) as KnownToken;
    return succeed({ ...known, text: SECRET_TOKEN });
  }
  async rotateToken(id: string): Promise<Answer<MadeToken>> {
    const known = await this.revokeToken(id);
    return known.ok ? succeed({ ...known.value, text: SECRET_TOKEN }) : known;
  }
  async revokeToken(id: string): Promise<Answer<KnownToken>> {
    const known = this.known.find(({ token }) => token.id === id);
    return known ? succeed(known) : fail({ code: 'NOT_FOUND', message: `there is no token ${id}` });
  }
  readonly deeds: Deed[] = [];
  recordAnswer: Answer<void> = succeed(undefined);
  async record(deed: Deed): Promise<Answer<void>> {
    if (this.recordAnswer.ok) this.deeds.push(deed);
    return this.recordAnswer;
  }
  lastAuditFilter: AuditFilter | null = null;
  auditTrail(filter: AuditFilter): readonly AuditEntry[] {
    this.lastAuditFilter = filter;
    return this.deeds.map((deed) => ({ ...deed, atMs: NOW }));
  }

  cluster(): ClusterView {
    return {
      clusterId: 'c0ffee',
      consensus: this.consensus(),
      members: [aMember('node-a', '10.0.0.1', true), aMember('node-b', '10.0.0.2', false)],
      versions: { members: 2, tasks: 1, profiles: 1, runs: 4, models: 3, observations: 5 },
      queued: 1,
      running: 2,
      health: { state: 'degraded', reasons: ['node-b is away: start it'] },
    };
  }

  generosity = () => -0.1;
  selected: number[] = [];
  selectAnswer: Answer<void> = succeed(undefined);
  trainAnswer: Answer<LearnedFrom> = succeed({ tasks: 4, points: 30 });
  readonly explainRequests: ExplainRequest[] = [];
  explainAnswer: Answer<Explanation> = succeed(anExplanation);

  predictor(): PredictorView {
    return {
      info: { name: 'fake', version: 3, sha256: 'c'.repeat(64), description: 'A fake.' },
      generosity: -0.1,
      current: 3,
      versions: [aModel],
      dropped: [aDropped],
      nodes: this.cluster().members.map(({ member, alive, capacity }) => ({
        member,
        alive,
        version: capacity?.modelVersion ?? null,
      })),
      training: { running: { sinceMs: NOW, learned: { tasks: 4, points: 30 } }, last: 'it was dropped' },
    };
  }

  async selectModel(version: number): Promise<Answer<void>> {
    this.selected.push(version);
    return this.selectAnswer;
  }

  trainModel = async (): Promise<Answer<LearnedFrom>> => this.trainAnswer;

  async explain(request: ExplainRequest): Promise<Answer<Explanation>> {
    this.explainRequests.push(request);
    return this.explainAnswer;
  }
}

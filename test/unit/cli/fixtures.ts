/** Answers of a node as its schemas describe them. */
import type { ClusterJson, WorkerJson } from '../../../node/rest/schemas/cluster.ts';
import type { ExplanationJson, ModelJson } from '../../../node/rest/schemas/predictor.ts';
import type { ResultJson, RunDetailJson } from '../../../node/rest/schemas/runs.ts';
import type { HealthJson } from '../../../node/rest/schemas/service.ts';
import type { TaskDetailJson, TaskJson } from '../../../node/rest/schemas/tasks.ts';
import type { AuditJson, MadeTokenJson, TokenJson } from '../../../node/rest/schemas/tokens.ts';

const PEER = '12D3KooWQ1mqJXkZoVyFcVpJ7DbcrLdqcyLBbZaaaaaaaaaaaaaa';

export const health: HealthJson = {
  status: 'ok',
  message: null,
  id: PEER,
  name: 'alpha',
  version: '0.1.0',
  role: 'voter',
  term: 3,
  master: PEER,
  enforcement: 'unenforced',
  troubles: [],
  disk: { free_bytes: 2 ** 36, reserve_bytes: 2 ** 32 },
  uptime_seconds: 12.5,
};

const worker: WorkerJson = {
  id: PEER,
  name: 'alpha',
  host: '192.0.2.10',
  addresses: ['/ip4/192.0.2.10/tcp/8300'],
  may_vote: true,
  joined_by: null,
  role: 'master',
  alive: true,
  last_heard_seconds: 0,
  joined_at: '2025-01-31T12:00:00.000Z',
  version: '0.1.0',
  cpus: 2,
  cpu_model: 'Example CPU',
  memory_bytes: 8 * 1024 ** 3,
  free_memory_bytes: 4 * 1024 ** 3,
  load: 0.25,
  enforcement: 'unenforced',
  profilers: ['wallclock'],
  takes_runs: true,
  troubles: [],
  ways: 16,
  free_ways: 12,
  llc: [
    {
      id: 0,
      cpus: [0, 1],
      ways: 16,
      free_ways: 12,
      min_ways: 1,
      way_bytes: 2 ** 20,
      masks: { reserve: 0xc000, foreign: 0, io: 0xc000, pool: 0 },
      occupancy_bytes: 3 * 2 ** 20,
      pool_bandwidth_percent: null,
      runs: [
        {
          run_id: 'run123',
          attempt: 1,
          domain: 0,
          sensitive: true,
          ways: 4,
          hold: 'partition',
          mask: 0xf,
          occupancy_bytes: 3 * 2 ** 20,
        },
      ],
    },
  ],
};

export const cluster: ClusterJson = {
  cluster_id: 'c0ffee',
  term: 3,
  master: PEER,
  voters: [PEER],
  learners: [],
  commit_index: 42,
  applied_index: 42,
  last_index: 42,
  members: [
    worker,
    { ...worker, id: `${PEER}2`, name: 'beta', role: 'voter', alive: false, llc: [], load: null },
  ],
  health: { state: 'degraded', reasons: ['beta is down: start it again.'] },
  versions: { members: 1, tasks: 1, profiles: 1, runs: 4, models: 0, observations: 3 },
  queued: 0,
  running: 1,
};

export const task: TaskJson = {
  task_id: '3f1c9a52d0e84b6f9d2a7c15e8b04d63',
  name: 'sort',
  file_name: 'sort.py',
  sha256: 'ab'.repeat(32),
  size: 2048,
  command: 'python3',
  secrets: [],
  created_at: '2025-01-31T12:00:00.000Z',
};
export const otherTask: TaskJson = { ...task, task_id: '3f1c0000000000000000000000000000', name: 'other' };

export const taskDetail: TaskDetailJson = {
  ...task,
  drift: null,
  profiles: [
    {
      input_size: 1000,
      command: 'python3',
      profiler: 'wallclock',
      note: null,
      ways: 16,
      way_bytes: 2 ** 20,
      cpu_model: 'Example CPU',
      node: PEER,
      measured_at: '2025-01-31T12:01:00.000Z',
      points: [
        { ways: 1, seconds: [0.03], mean_seconds: 0.03, spread_seconds: null },
        { ways: 16, seconds: [0.015], mean_seconds: 0.015, spread_seconds: null },
      ],
    },
  ],
};

export const result: ResultJson = {
  id: 'run123',
  cos: 4,
  command: 'python3',
  input_size: 1000,
  pid: 4242,
  stdout: 'sorted\n',
  stderr: 'a warning\n',
  exit_status: 0,
  timestamp: '2025-01-31T12:00:00.000Z',
  execution_time: { secs: 1, nanos: 500_000_000 },
  node: PEER,
  domain: 0,
  ways: 4,
  enforcement: 'unenforced',
  enforcement_reason: 'This machine has no cache allocation.',
  cache_use: null,
  isolation: {
    user: '60800',
    own_user: true,
    limits: 'prlimit',
    sandbox: 'bubblewrap',
    seccomp: true,
    network: false,
    pinned: true,
  },
  choice: {
    needed: 3,
    ways: 4,
    expected_slowdown: 1.012,
    at_most: 1.034,
    max_slowdown: 1.05,
    model: 'fsched',
    model_version: 2,
  },
  state: 'succeeded',
  error: null,
  attempts: 1,
  cpus: [0, 1],
  stdout_truncated: false,
  stderr_truncated: false,
};

export const run: RunDetailJson = {
  run_id: 'run123',
  task_id: task.task_id,
  purpose: 'run',
  mode: 'BENCHMARKED',
  state: 'succeeded',
  command: 'python3',
  input_size: 1000,
  time_limit_seconds: 60,
  node: PEER,
  domain: 0,
  ways: 4,
  choice: result.choice,
  measure: null,
  measurement: null,
  secrets: [],
  attempts: 1,
  created_at: '2025-01-31T12:00:00.000Z',
  started_at: '2025-01-31T12:00:00.010Z',
  finished_at: '2025-01-31T12:00:01.510Z',
  error: null,
  result,
};

const origin = {
  base: 1,
  before: { loss: 0.9, within: 0.94, ways_ratio: 1.2, questions: 400 },
  after: { loss: 0.7, within: 0.96, ways_ratio: 1.1, questions: 400 },
  extent: { functions: 34, curves: 210, points: 3400 },
  learned: { tasks: 4, points: 30 },
  seed: 42,
  backend: 'cpu',
  node: PEER,
  trained_at: '2025-01-31T12:00:00.000Z',
};
const version = { version: 2, sha256: 'cd'.repeat(32), size: 81_920, ...origin };

export const model: ModelJson = {
  model: 'fsched',
  version: 2,
  description: 'A learned model.',
  generosity: -0.1,
  sha256: version.sha256,
  current: 2,
  versions: [{ ...version, version: 1, base: 0 }, version],
  dropped: [{ ...origin, base: 2, before: origin.after, after: { ...origin.before, loss: 0.8 } }],
  nodes: [
    { id: PEER, name: 'alpha', alive: true, version: 2 },
    { id: `${PEER}2`, name: 'beta', alive: false, version: null },
  ],
  training: {
    // In the middle of an hour: however long the tests take, its age in hours stays the same.
    running: { since: new Date(Date.now() - 5.5 * 3_600_000).toISOString(), tasks: 4, points: 30 },
    last: 'version 2 was accepted',
  },
};

export const explanation: ExplanationJson = {
  task_id: task.task_id,
  function: 'sort',
  input_size: 1000,
  mode: 'BENCHMARKED',
  ways: 3,
  needed: 2,
  why: '2 of 4 ways are the fewest that surely stay within 20 % slowdown; 1 more saves 1 % of its time',
  expected_slowdown: 1.01,
  at_most: 1.04,
  max_slowdown: 1.2,
  generosity: -0.01,
  cache: { ways: 4, way_bytes: 2 ** 20 },
  model: { name: 'fsched', version: 2 },
  full_cache_seconds: 0.015,
  slowdown: [1.8, 1.1, 1.01, 1],
  quantiles: [
    { level: 0.05, slowdown: [1.7, 1, 1, 1] },
    { level: 0.95, slowdown: [2, 1.2, 1.04, 1] },
  ],
  measured: [
    {
      input_size: 1000,
      profiler: 'cachegrind',
      origin: 'benchmark',
      way_bytes: 2 ** 20,
      weight: 1,
      points: [
        { ways: 1, mean_seconds: 0.027, samples: 1 },
        { ways: 4, mean_seconds: 0.015, samples: 1 },
      ],
    },
    {
      input_size: 1000,
      profiler: 'run',
      origin: 'run',
      way_bytes: 2 ** 20,
      weight: 1,
      points: [{ ways: 3, mean_seconds: 0.015, samples: 5 }],
    },
  ],
  drift: null,
};

export const apiToken: TokenJson = {
  id: '3f1c9a52d0e84b6f',
  kind: 'api',
  name: 'ci',
  state: 'active',
  scope: 'submit',
  role: null,
  uses: null,
  used: null,
  created_at: '2025-01-31T12:00:00.000Z',
  created_by: 'root',
  expires_at: '2025-05-01T12:00:00.000Z',
  revoked_at: null,
};
export const joinToken: TokenJson = {
  ...apiToken,
  id: '3f00000000000000',
  kind: 'join',
  name: 'rack 7',
  state: 'used_up',
  scope: null,
  role: 'worker',
  uses: 3,
  used: 3,
  expires_at: null,
};
export const madeToken: MadeTokenJson = { ...apiToken, token: `fsa_${'5'.repeat(64)}` };

export const audit: AuditJson = {
  entries: [
    {
      at: '2025-01-31T12:00:00.000Z',
      who: 'somebody',
      token_id: apiToken.id,
      node: PEER,
      action: 'DELETE /cluster/workers/:id',
      subject: `${PEER}2`,
    },
  ],
};

/** Runs as JSON. */
import Type, { type Static } from 'typebox';
import { nullable, RunId, TaskId } from '../../../protocols/schema/fields.ts';
import {
  CacheUse,
  Enforcement,
  Isolation,
  isTerminal,
  type Measurement,
  RUN_STATES,
  type Run,
  RunChoice,
  RunResult,
  RunSpec,
  RunState,
} from '../../../protocols/schema/run.ts';
import type { RunView } from '../backend.ts';
import { jsonOf, jsonProperties, timestamp, toJson } from '../json.ts';
import { Timestamp } from './fields.ts';
import { namesOf, SecretNames } from './secrets.ts';

const choice = jsonOf(nullable(RunChoice));
const { pid, cpus } = jsonProperties(RunResult.properties);

/** The seed's fields first, under its names (`cos`: class of service, our ways); then what we add. */
export const Result = Type.Object({
  id: Type.String({ description: 'Id of the run.' }),
  cos: Type.Integer({ description: 'Ways of last-level cache that it was granted; the same as `ways`.' }),
  command: Type.String(),
  input_size: Type.Integer(),
  pid,
  stdout: Type.String(),
  stderr: Type.String(),
  exit_status: nullable(
    Type.Integer({ description: '128 + number of the signal that ended it; 127: could not be started.' }),
  ),
  timestamp: nullable(Timestamp),
  execution_time: Type.Object({ secs: Type.Integer(), nanos: Type.Integer() }),
  node: nullable(Type.String()),
  domain: nullable(Type.Integer()),
  ways: Type.Integer(),
  enforcement: jsonOf(nullable(Enforcement)),
  enforcement_reason: nullable(Type.String()),
  cache_use: jsonOf(nullable(CacheUse)),
  isolation: jsonOf(nullable(Isolation)),
  choice,
  state: Type.String(),
  error: nullable(Type.String()),
  attempts: Type.Integer(),
  cpus,
  stdout_truncated: Type.Boolean(),
  stderr_truncated: Type.Boolean(),
});
export type ResultJson = Static<typeof Result>;

const choiceExample: Static<typeof choice> = {
  needed: 3,
  ways: 4,
  expected_slowdown: 1.01,
  at_most: 1.03,
  max_slowdown: 1.05,
  model: 'fsched',
  model_version: 2,
};

export const resultExample: ResultJson = {
  id: 'run123',
  cos: 4,
  command: 'python3',
  input_size: 1024,
  pid: 4242,
  stdout: 'sorted\n',
  stderr: '',
  exit_status: 0,
  timestamp: '2025-01-31T12:00:00.000Z',
  execution_time: { secs: 0, nanos: 15_000_000 },
  node: '12D3KooWExample',
  domain: 0,
  ways: 4,
  enforcement: 'unenforced',
  enforcement_reason: 'This machine has no cache allocation.',
  cache_use: {
    samples: 3,
    occupancy_bytes: { last: 3_900_000, peak: 4_100_000, mean: 3_500_000 },
    bandwidth_bytes_per_second: null,
    local_bandwidth_bytes_per_second: null,
  },
  isolation: {
    user: '60800',
    own_user: true,
    limits: 'prlimit',
    sandbox: 'bubblewrap',
    seccomp: true,
    network: false,
    pinned: true,
  },
  choice: choiceExample,
  state: 'succeeded',
  error: null,
  attempts: 1,
  cpus: [0, 1],
  stdout_truncated: false,
  stderr_truncated: false,
};

const { taskId, purpose, mode, command, inputSize, measure, createdAtMs } = RunSpec.properties;

const RunSummary = Type.Object({
  run_id: jsonOf(RunId),
  ...jsonProperties({ taskId, purpose, mode, command, inputSize, measure, createdAtMs }),
  choice,
  state: jsonOf(RunState),
  time_limit_seconds: Type.Number(),
  node: nullable(Type.String()),
  domain: nullable(Type.Integer()),
  ways: Type.Integer({ description: 'Ways granted; before its placement the ways wanted.' }),
  measurement: nullable(
    Type.Object(
      {
        seconds: Type.Number(),
        cycles: nullable(Type.Integer({ description: 'Instructions + 10 x L1 misses + 100 x LLC misses.' })),
        i_refs: nullable(Type.Integer()),
        l1_misses: nullable(Type.Integer()),
        ll_misses: nullable(Type.Integer()),
      },
      { description: 'What the profiler read; counts are those of a simulation.' },
    ),
  ),
  secrets: { ...SecretNames, description: "Names of its own secrets, beside the task's." },
  attempts: Type.Integer(),
  started_at: nullable(Timestamp),
  finished_at: nullable(Timestamp),
  error: nullable(Type.String({ description: 'What went wrong and what to do.' })),
});
export type RunSummaryJson = Static<typeof RunSummary>;

const summaryExample: RunSummaryJson = {
  run_id: 'run123',
  task_id: 'task123',
  purpose: 'run',
  mode: 'BENCHMARKED',
  state: 'succeeded',
  command: 'python3',
  input_size: 1024,
  time_limit_seconds: 60,
  node: '12D3KooWExample',
  domain: 0,
  ways: 4,
  choice: choiceExample,
  measure: null,
  measurement: null,
  secrets: [],
  attempts: 1,
  created_at: '2025-01-31T12:00:00.000Z',
  started_at: '2025-01-31T12:00:00.010Z',
  finished_at: '2025-01-31T12:00:00.040Z',
  error: null,
};

export const RunDetail = Type.Object(
  { ...RunSummary.properties, result: nullable(Result) },
  {
    description: 'The run; its result once it has ended.',
    examples: [{ ...summaryExample, result: resultExample }],
  },
);
export type RunDetailJson = Static<typeof RunDetail>;

export const RunList = Type.Object(
  { runs: Type.Array(RunSummary) },
  { description: 'Runs, newest first.', examples: [{ runs: [summaryExample] }] },
);

export const RunQuery = Type.Object({
  state: Type.Optional(Type.Enum([...RUN_STATES])),
  task_id: Type.Optional(TaskId),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: 'At most this many; 100 when absent.',
    }),
  ),
});

export const RunParams = Type.Object({ run_id: RunId });

export const OutputQuery = Type.Object({
  stream: Type.Optional(
    Type.Enum(['stdout', 'stderr'], { description: 'stdout when absent.', 'x-expected': 'stdout or stderr' }),
  ),
  follow: Type.Optional(
    Type.Boolean({ description: 'Go on until the run is over.', 'x-expected': 'true or false' }),
  ),
});

export const presentRun = (run: Run): RunSummaryJson => ({
  run_id: run.spec.id,
  task_id: run.spec.taskId,
  purpose: run.spec.purpose,
  mode: run.spec.mode,
  state: run.state,
  command: run.spec.command,
  input_size: run.spec.inputSize,
  time_limit_seconds: run.spec.timeLimitMs / 1000,
  node: run.assignment?.node ?? null,
  domain: run.assignment?.domain ?? null,
  ways: run.assignment?.ways ?? run.spec.ways,
  choice: toJson(run.spec.choice),
  measure: toJson(run.spec.measure),
  measurement: presentMeasurement(run.result?.measurement ?? null),
  secrets: namesOf(run.spec.secrets),
  attempts: run.attempts,
  created_at: timestamp(run.spec.createdAtMs),
  started_at: timestampOrNull(run.startedAtMs),
  finished_at: timestampOrNull(run.finishedAtMs),
  error: run.error,
});

const presentMeasurement = (measurement: Measurement | null): RunSummaryJson['measurement'] =>
  measurement && {
    seconds: measurement.seconds,
    cycles: measurement.counts?.cycles ?? null,
    i_refs: measurement.counts?.iRefs ?? null,
    l1_misses: measurement.counts?.l1Misses ?? null,
    ll_misses: measurement.counts?.llMisses ?? null,
  };

export const presentRunDetail = (view: RunView): RunDetailJson => ({
  ...presentRun(view.run),
  result: isTerminal(view.run) ? presentResult(view) : null,
});

/** A run that ended without a result (cancelled in the queue, lost) has no pid, no exit status and no time. */
export function presentResult({ run, stdout, stderr }: RunView): ResultJson {
  const { spec, assignment, result } = run;
  const ns = result?.executionTimeNs ?? 0;
  const ways = assignment?.ways ?? spec.ways;
  return {
    id: spec.id,
    cos: ways,
    command: spec.command,
    input_size: spec.inputSize,
    pid: result?.pid ?? null,
    stdout: stdout ?? '',
    stderr: stderr ?? '',
    exit_status: result?.exitStatus ?? null,
    timestamp: timestampOrNull(result?.startedAtMs ?? run.startedAtMs),
    execution_time: { secs: Math.floor(ns / 1e9), nanos: Math.round(ns % 1e9) },
    node: assignment?.node ?? null,
    domain: assignment?.domain ?? null,
    ways,
    enforcement: result?.enforcement ?? null,
    enforcement_reason: result?.enforcementReason ?? null,
    cache_use: toJson(result?.cacheUse ?? null),
    isolation: result?.isolation ?? null,
    choice: toJson(spec.choice),
    state: run.state,
    error: run.error,
    attempts: run.attempts,
    cpus: [...(result?.cpus ?? [])],
    stdout_truncated: result?.stdout.truncated ?? false,
    stderr_truncated: result?.stderr.truncated ?? false,
  };
}

const timestampOrNull = (epochMs: number | null): string | null =>
  epochMs === null ? null : timestamp(epochMs);

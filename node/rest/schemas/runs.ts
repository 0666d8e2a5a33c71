/** Requests that run something, and runs as JSON. */
import Type, { type Static } from 'typebox';
import {
  CommandField,
  IdField,
  InputSizeField,
  MaxSlowdownField,
  nullable,
  PLAIN_TEXT,
  ProfilerField,
  TimeLimitField,
  Timestamp,
} from './fields.ts';
import { Choice, choiceExample, Isolation } from './run-parts.ts';

const executed = {
  command: CommandField,
  task_id: IdField('task'),
  input_size: InputSizeField,
  time_limit_seconds: Type.Optional(TimeLimitField),
};

export const RunBody = Type.Object(
  { ...executed, max_slowdown: Type.Optional(MaxSlowdownField) },
  { examples: [{ command: 'python3', task_id: 'task123', input_size: 1024 }] },
);
export type RunBodyJson = Static<typeof RunBody>;

const Counter = (description: string) =>
  nullable(Type.Object({ last: Type.Number(), peak: Type.Number(), mean: Type.Number() }, { description }));

const CacheUse = Type.Object(
  {
    samples: Type.Integer(),
    occupancy_bytes: Counter('Of its LLC domain; may exceed its ways, for old lines stay where they are.'),
    bandwidth_bytes_per_second: Counter('To and from all memory.'),
    local_bandwidth_bytes_per_second: Counter('To and from the memory of its own NUMA node.'),
  },
  { description: 'What the counters of the hardware said of the run; null where one said nothing.' },
);

/** The seed's fields first, under its names (`cos`: class of service, our ways); then what we add. */
const Result = Type.Object({
  id: Type.String({ description: 'Id of the run.' }),
  cos: Type.Integer({ description: 'Ways of last-level cache that it was granted; the same as `ways`.' }),
  command: Type.String(),
  input_size: Type.Integer(),
  pid: nullable(Type.Integer()),
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
  enforcement: nullable(Type.Enum(['enforced', 'shared', 'unenforced'])),
  enforcement_reason: nullable(Type.String()),
  cache_use: nullable(CacheUse),
  isolation: nullable(Isolation),
  choice: nullable(Choice),
  state: Type.String(),
  error: nullable(Type.String()),
  attempts: Type.Integer(),
  cpus: Type.Array(Type.Integer()),
  stdout_truncated: Type.Boolean(),
  stderr_truncated: Type.Boolean(),
});
export type ResultJson = Static<typeof Result>;

const resultExample: ResultJson = {
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
  isolation: { user: 'nobody', limits: 'prlimit', sandbox: 'bubblewrap', network: false, pinned: true },
  choice: choiceExample,
  state: 'succeeded',
  error: null,
  attempts: 1,
  cpus: [0, 1],
  stdout_truncated: false,
  stderr_truncated: false,
};

export const NOT_READY =
  'Task is not yet ready for execution. Try benchmarking it with a specific input size';
export const BENCHMARKED = 'Benchmarking was successful and task is ready for execution';

export const RunAnswer = Type.Union(
  [
    Type.Object({ result: Result, mode: Type.Enum(['BENCHMARKED', 'ASSISTED']) }),
    Type.Object({ message: Type.String({ description: 'Never benchmarked (mode INOP): nothing was run.' }) }),
  ],
  {
    description:
      'The result of the run, or why there was none. The header fsched-mode has the mode in both cases.',
    headers: { 'fsched-mode': { type: 'string', enum: ['INOP', 'BENCHMARKED', 'ASSISTED'] } },
    examples: [{ message: NOT_READY }, { result: resultExample, mode: 'BENCHMARKED' }],
  },
);

export const BenchmarkBody = Type.Object(
  {
    ...executed,
    profiler: Type.Optional(
      Type.Enum(['auto', 'resctrl', 'cachegrind', 'wallclock'], {
        description:
          'The instrument: time in real partitions, a simulated cache, or mere time, which says nothing about cache. auto takes the first of these that a node can do.',
        'x-expected': 'auto, resctrl, cachegrind or wallclock',
      }),
    ),
    executions: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 48,
        description:
          'How often it may be executed at most, after a first time that is not measured. The model then says which way counts tell the most. Left out: as often as it takes to know the curve.',
      }),
    ),
  },
  { examples: [{ command: 'python3', task_id: 'task123', input_size: 1024, profiler: 'auto' }] },
);

export const BenchmarkAnswer = Type.Object(
  {
    message: Type.String(),
    exec_time: Type.Object({
      input_size: Type.Integer(),
      time: Type.String({
        description:
          'Mean time with the most ways (by cachegrind: estimated, of a machine of 1 GHz): whole "850us", "1.5ms" or "15ms", "1.234s".',
      }),
    }),
  },
  {
    description: 'The task is ready for execution.',
    examples: [{ message: BENCHMARKED, exec_time: { input_size: 1024, time: '15ms' } }],
  },
);

export const SubmitBody = Type.Object(
  {
    function_name: Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: PLAIN_TEXT,
      description: 'Name of the function; the newest task with that name is run.',
      'x-expected': 'a string of 1 to 255 characters without control characters',
    }),
    parameters: Type.Optional(
      Type.Unknown({
        description:
          'Any JSON value: given to the program on standard input and in FSCHED_PARAMETERS. Its `input_size`, or else its size in bytes, is the input size.',
      }),
    ),
    max_slowdown: Type.Optional(MaxSlowdownField),
  },
  { examples: [{ function_name: 'my_function', parameters: { arg1: 'value1' } }] },
);

export const SubmitQuery = Type.Object({
  wait: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 3600,
      description: 'Seconds to wait for the end of the run before answering.',
      'x-expected': 'a number of seconds from 0 to 3600',
    }),
  ),
});

export const Accepted = Type.Object(
  { run_id: Type.String(), status_url: Type.String(), state: Type.String() },
  {
    description: 'The run is committed and will be carried out.',
    headers: { location: { type: 'string', description: 'Where to ask for the run.' } },
    examples: [{ run_id: 'run123', status_url: '/runs/run123', state: 'queued' }],
  },
);

const runStates = [
  'queued',
  'assigned',
  'running',
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'lost',
] as const;

const RunSummary = Type.Object({
  run_id: Type.String(),
  task_id: Type.String(),
  purpose: Type.Enum(['run', 'benchmark']),
  mode: Type.Enum(['INOP', 'BENCHMARKED', 'ASSISTED']),
  state: Type.Enum([...runStates]),
  command: Type.String(),
  input_size: Type.Integer(),
  time_limit_seconds: Type.Number(),
  node: nullable(Type.String()),
  domain: nullable(Type.Integer()),
  ways: Type.Integer({ description: 'Ways granted; before its placement the ways wanted.' }),
  choice: nullable(Choice),
  measure: nullable(
    Type.Object(
      { profiler: ProfilerField, ways: Type.Integer(), way_bytes: Type.Integer() },
      { description: 'How a run of a benchmark is measured; the ways may be simulated.' },
    ),
  ),
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
  attempts: Type.Integer(),
  created_at: Timestamp,
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
  state: Type.Optional(Type.Enum([...runStates], { 'x-expected': `one of ${runStates.join(', ')}` })),
  task_id: Type.Optional(IdField('task')),
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1000,
      description: 'At most this many; 100 when absent.',
      'x-expected': 'a whole number from 1 to 1000',
    }),
  ),
});

export const RunParams = Type.Object({ run_id: IdField('run') });

export const OutputQuery = Type.Object({
  stream: Type.Optional(
    Type.Enum(['stdout', 'stderr'], { description: 'stdout when absent.', 'x-expected': 'stdout or stderr' }),
  ),
  follow: Type.Optional(
    Type.Boolean({ description: 'Go on until the run is over.', 'x-expected': 'true or false' }),
  ),
});

/** The requests that run something, and their answers. */
import Type, { type Static } from 'typebox';
import { Command, FunctionName, TaskId } from '../../../protocols/schema/fields.ts';
import { PROFILERS } from '../../../protocols/schema/task.ts';
import { InputSizeField, MaxSlowdownField, TimeLimitField } from './fields.ts';
import { Result, resultExample } from './runs.ts';
import { SecretsField } from './secrets.ts';

const executed = {
  command: Command,
  task_id: TaskId,
  input_size: InputSizeField,
  time_limit_seconds: Type.Optional(TimeLimitField),
};

export const RunBody = Type.Object(
  { ...executed, max_slowdown: Type.Optional(MaxSlowdownField), secrets: Type.Optional(SecretsField) },
  { examples: [{ command: 'python3', task_id: 'task123', input_size: 1024 }] },
);
export type RunBodyJson = Static<typeof RunBody>;

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
      Type.Enum(['auto', ...PROFILERS], {
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
    function_name: {
      ...FunctionName,
      description: 'Name of the function; the newest task with that name is run.',
    },
    parameters: Type.Optional(
      Type.Unknown({
        description:
          'Any JSON value: given to the program on standard input and in FSCHED_PARAMETERS. Its `input_size`, or else its size in bytes, is the input size.',
      }),
    ),
    max_slowdown: Type.Optional(MaxSlowdownField),
    secrets: Type.Optional(SecretsField),
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

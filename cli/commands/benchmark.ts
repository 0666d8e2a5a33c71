import { type Command, Option } from 'commander';
import type { TaskDetailJson, TaskJson } from '../../node/rest/schemas/tasks.ts';
import type { ApiClient } from '../api-client.ts';
import {
  type ApiFlags,
  durationMs,
  makeClient,
  repeatable,
  wholeNumber,
  withApiOptions,
} from '../api-command.ts';
import { BenchmarkWatch } from '../benchmark-watch.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { findTask } from '../lookup.ts';
import { drawInPlace, show } from '../output.ts';
import { describeProfile, plotProfile } from '../profile-table.ts';
import { onInterrupt } from '../signals.ts';

/** What `executeBody` makes. */
type BenchmarkBodyJson = ReturnType<typeof executeBody> & {
  readonly profiler: string;
  readonly executions?: number;
};

export interface ExecuteFlags extends ApiFlags {
  readonly command?: string;
  readonly timeLimit?: string;
}

/** The options that `run` and `benchmark` share. */
export const withExecuteOptions = (command: Command): Command =>
  withApiOptions(command, { patient: true })
    .option('--command <command>', 'how to start the file (default: as uploaded, else by its extension)')
    .option('--time-limit <time>', "kill the program after this long, such as 90s (default: the node's)");

/** What the person said, else what the node made of the upload: its field, its extension or its `#!` line. */
function commandFor(task: TaskJson, given: string | undefined): string {
  const command = given ?? task.command;
  if (command !== null) return command;
  throw new CliError(
    EXIT.USAGE,
    `nothing says how to start ${task.file_name}: give --command, such as --command python3`,
  );
}

/** The body of a request to run or benchmark. */
export const executeBody = (task: TaskJson, inputSize: number, flags: ExecuteFlags) => ({
  command: commandFor(task, flags.command),
  task_id: task.task_id,
  input_size: inputSize,
  ...(flags.timeLimit === undefined
    ? {}
    : { time_limit_seconds: durationMs('--time-limit', flags.timeLimit) / 1000 }),
});

export function registerBenchmark(program: Command): void {
  withExecuteOptions(program.command('benchmark <task> <size>'))
    .description('measure a task at an input size over ways, so that it can be run with the cache it needs')
    .addOption(
      new Option('--profiler <profiler>', 'the instrument; auto takes the best that a node has')
        .choices(['auto', 'resctrl', 'cachegrind', 'wallclock'])
        .default('auto'),
    )
    .option(
      '--executions <count>',
      'measure this often at most, where it tells the most (default: until the curve is known)',
      (count) => wholeNumber('--executions', count),
    )
    .addHelpText('after', MORE)
    .action(benchmark);
}

const MORE = `
At a terminal the curve is drawn as it grows. Ctrl-C cancels the benchmark; what
was known of the task before stays.`;

interface BenchmarkFlags extends ExecuteFlags {
  readonly profiler: string;
  readonly executions?: number;
}

async function benchmark(wanted: string, size: string, flags: BenchmarkFlags): Promise<void> {
  const inputSize = wholeNumber('SIZE', size);
  const client = makeClient(flags);
  const task = await findTask(client, wanted);
  const body = executeBody(task, inputSize, flags);
  const { profiler, executions } = flags;
  const limit = executions === undefined ? {} : { executions };
  const answer = await carryOut(client, { ...body, profiler, ...limit });
  const profile = await newestProfile(client, task.task_id, inputSize);
  show(flags, { ...answer, profile }, ({ message }) => [
    message,
    ...(profile === null ? [] : [...plotProfile(profile), ...describeProfile(profile)]),
  ]);
}

/** Shows the curve as it grows. An interrupt hangs up, and a benchmark that nobody waits for is cancelled by its node. */
async function carryOut(client: ApiClient, body: BenchmarkBodyJson): Promise<{ readonly message: string }> {
  const { task_id: taskId, input_size: inputSize } = body;
  const draw = drawInPlace();
  await using _watch = await BenchmarkWatch.begin(client, { taskId, inputSize, draw });
  const interrupted = new AbortController();
  const forget = onInterrupt(() => interrupted.abort());
  const { signal } = interrupted;
  const path = '/controller/task/benchmark';
  try {
    return await client.json({ method: 'POST', path, body, headers: repeatable(), signal });
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const message = 'interrupted: the node ends the benchmark, and nothing of it is kept';
    throw new CliError(EXIT.INTERRUPTED, message, { cause });
  } finally {
    forget();
  }
}

/** A benchmark makes one profile for its profiler, so the newest of the size is its. */
async function newestProfile(client: ApiClient, taskId: string, inputSize: number) {
  const path = `/tasks/${encodeURIComponent(taskId)}`;
  const { profiles } = await client.get<TaskDetailJson>(path);
  const ofSize = profiles.filter((profile) => profile.input_size === inputSize);
  return ofSize.toSorted((a, b) => Date.parse(b.measured_at) - Date.parse(a.measured_at))[0] ?? null;
}

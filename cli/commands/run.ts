import type { Command } from 'commander';
import type { ResultJson } from '../../node/rest/schemas/runs.ts';
import { makeClient, maxSlowdownOption, repeatable, wholeNumber } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { printJson, showProgress } from '../output.ts';
import { exitCodeOfRun, showResult } from '../run-result.ts';
import { commandFor, findTask } from '../task-lookup.ts';
import { type ExecuteFlags, executeBody, withExecuteOptions } from './benchmark.ts';

const MORE = `
The program's output comes on standard output and standard error, then a line
about the run on standard error. TASK is an id, the beginning of one, or a
function name. Ends with 1 when the program failed, 7 at its time limit.`;

export function registerRun(program: Command): void {
  withExecuteOptions(program.command('run <task> <size>'))
    .description('run a benchmarked task with an input size and wait for its end')
    .addOption(maxSlowdownOption())
    .option('--idempotency-key <key>', 'the same key again gets the same run')
    .addHelpText('after', MORE)
    .action(run);
}

interface RunFlags extends ExecuteFlags {
  readonly maxSlowdown?: number;
  readonly idempotencyKey?: string;
}

async function run(wanted: string, size: string, flags: RunFlags): Promise<void> {
  const inputSize = wholeNumber('SIZE', size);
  const client = makeClient(flags);
  const task = await findTask(client, wanted);
  const body = {
    ...executeBody(task.task_id, commandFor(task, flags.command), inputSize, flags),
    max_slowdown: flags.maxSlowdown,
  };
  const headers = repeatable(flags.idempotencyKey);
  const done = showProgress(`running ${task.name} at ${inputSize}`);
  const answer = (await client
    .json({ method: 'POST', path: '/controller/task/run', body, headers })
    .finally(done)) as { result?: ResultJson; mode?: string; message?: string };
  if (flags.json) printJson(answer);
  if (answer.result === undefined) {
    const next = `fsched benchmark ${wanted} ${inputSize}`;
    throw new CliError(
      EXIT.REFUSED,
      `Nothing was run, because the task was never benchmarked: run "${next}" first.`,
    );
  }
  if (!flags.json) showResult(answer.result, answer.mode ?? null);
  process.exitCode = exitCodeOfRun(answer.result.state);
}

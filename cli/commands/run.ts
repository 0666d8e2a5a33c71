import type { Command } from 'commander';
import type { ResultJson } from '../../node/rest/schemas/runs.ts';
import type { ApiClient } from '../api-client.ts';
import { makeClient, maxSlowdownOption, repeatable, wholeNumber } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { findTask, listRuns } from '../lookup.ts';
import { show, showProgress } from '../output.ts';
import { exitCodeOfRun, showResult } from '../run-result.ts';
import { readSecrets, type SecretFlags, secretOption } from '../secrets.ts';
import { untilInterrupted } from '../signals.ts';
import { type ExecuteFlags, executeBody, withExecuteOptions } from './benchmark.ts';

const MORE = `
The program's output comes on standard output and standard error, then a line
about the run on standard error. At a terminal control characters are shown as
�; to a pipe or file all bytes go as they are. TASK is an id, the beginning of
one, or a function name. Ctrl-C leaves the run as it is and says how to follow
or end it. Ends with 1 when the program failed, 7 at its time limit.`;

export function registerRun(program: Command): void {
  withExecuteOptions(program.command('run <task> <size>'))
    .description('run a benchmarked task with an input size and wait for its end')
    .addOption(maxSlowdownOption())
    .addOption(secretOption())
    .option('--idempotency-key <key>', 'the same key again gets the same run')
    .addHelpText('after', MORE)
    .action(run);
}

/** The run of this request has no name before its answer: it is known if no other is like it. */
async function onlyRunOf(client: ApiClient, body: ReturnType<typeof executeBody>): Promise<string | null> {
  const alike = (await listRuns(client, body.task_id)).filter(
    (run) => run.purpose === 'run' && run.input_size === body.input_size && run.finished_at === null,
  );
  return alike.length === 1 ? (alike[0]?.run_id ?? null) : null;
}

interface RunAnswerJson {
  /** Missing where nothing was run. */
  readonly result?: ResultJson;
  readonly mode?: string;
}

interface RunFlags extends ExecuteFlags, SecretFlags {
  readonly maxSlowdown?: number;
  readonly idempotencyKey?: string;
}

async function run(wanted: string, size: string, flags: RunFlags): Promise<void> {
  const inputSize = wholeNumber('SIZE', size);
  const client = makeClient(flags);
  const secrets = await readSecrets(flags);
  const task = await findTask(client, wanted);
  const body = { ...executeBody(task, inputSize, flags), max_slowdown: flags.maxSlowdown, secrets };
  const done = showProgress(`running ${task.name} at ${inputSize}`);
  const asked = client
    .post<RunAnswerJson>('/controller/task/run', body, repeatable(flags.idempotencyKey))
    .finally(done);
  const answer = await untilInterrupted(asked, () => onlyRunOf(client, body));
  show(flags, answer, () => []);
  const { result, mode } = answer;
  if (result === undefined) {
    const next = `fsched benchmark ${wanted} ${inputSize}`;
    throw new CliError(
      EXIT.REFUSED,
      `nothing was run, because the task was never benchmarked: run "${next}" first`,
    );
  }
  if (!flags.json) showResult(result, mode ?? null);
  process.exitCode = exitCodeOfRun(result.state);
}

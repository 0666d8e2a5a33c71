import type { Command } from 'commander';
import type { RunDetailJson } from '../../node/rest/schemas/runs.ts';
import {
  type ApiFlags,
  durationMs,
  makeClient,
  maxSlowdownOption,
  repeatable,
  withApiOptions,
} from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { note, show, showProgress } from '../output.ts';
import { exitCodeOfRun, showResult } from '../run-result.ts';
import { readSecrets, type SecretFlags, secretOption } from '../secrets.ts';
import { untilInterrupted } from '../signals.ts';

export function registerSubmit(program: Command): void {
  withApiOptions(program.command('submit <function> [parameters]'), { patient: true })
    .description('hand in a run of a function with parameters (JSON); prints the id of the run')
    .addOption(maxSlowdownOption())
    .addOption(secretOption())
    .option('--wait <time>', 'wait this long for its end and show the result, such as 60s')
    .option('--idempotency-key <key>', 'the same key again gets the same run')
    .action(submit);
}

type SubmittedJson = Pick<RunDetailJson, 'run_id' | 'state'> & Partial<RunDetailJson>;

interface SubmitFlags extends ApiFlags, SecretFlags {
  readonly maxSlowdown?: number;
  readonly wait?: string;
  readonly idempotencyKey?: string;
}

async function submit(name: string, parameters: string | undefined, flags: SubmitFlags): Promise<void> {
  const body = {
    function_name: name,
    ...(parameters === undefined ? {} : { parameters: parseParameters(parameters) }),
    max_slowdown: flags.maxSlowdown,
    secrets: await readSecrets(flags),
  };
  const waitSeconds = flags.wait === undefined ? undefined : durationMs('--wait', flags.wait) / 1000;
  const headers = repeatable(flags.idempotencyKey);
  const done = waitSeconds === undefined ? () => {} : showProgress(`running ${name}`);
  const client = makeClient(flags);
  const request = { method: 'POST', path: '/submit', body, headers } as const;
  const asked = client.json<SubmittedJson>({ ...request, query: { wait: waitSeconds } }).finally(done);
  // The same key again, without waiting, is answered with the run that it made.
  const findRun = async () => (await client.json<SubmittedJson>(request)).run_id;
  const answer = await (waitSeconds === undefined ? asked : untilInterrupted(asked, findRun));
  show(flags, answer, ({ result, run_id: id }) => (result ? [] : [id]));
  if (answer.result) {
    if (!flags.json) showResult(answer.result, answer.mode ?? null);
    process.exitCode = exitCodeOfRun(answer.state);
    return;
  }
  if (waitSeconds === undefined) return;
  note(`the run is still ${answer.state}; "fsched logs ${answer.run_id}" follows it`);
  process.exitCode = EXIT.TIMED_OUT;
}

function parseParameters(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError(EXIT.USAGE, `PARAMETERS: write JSON such as '{"input_size": 1000}', not ${text}`, {
      cause,
    });
  }
}

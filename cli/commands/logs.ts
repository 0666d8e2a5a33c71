import { once } from 'node:events';
import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { findRun, runPath } from '../lookup.ts';
import { passOn } from '../output.ts';
import { exitCodeOfRun } from '../run-result.ts';

/** Long enough for the next master to be elected. */
const REATTACH_TRIES = 20;
const REATTACH_PAUSE_MS = 250;
const MENDS: ReadonlySet<number> = new Set([EXIT.UNREACHABLE, EXIT.NO_MASTER]);

const MORE = `
Followed to its end, it ends like "fsched run": 1 when the program failed. At a
terminal control characters are shown as �; to a pipe or file all bytes go as
they are.`;

export function registerLogs(program: Command): void {
  withApiOptions(program.command('logs <run>'), { patient: true })
    .description('the output of a run, followed until the run is over')
    .option('--stderr', 'its standard error instead of its standard output')
    .option('-f, --follow', 'until the run is over', true)
    .option('--no-follow', 'only what there is now')
    .addHelpText('after', MORE)
    .action(followOutput);
}

interface LogsFlags extends ApiFlags {
  readonly stderr?: boolean;
  readonly follow: boolean;
}

async function followOutput(wanted: string, flags: LogsFlags): Promise<void> {
  const client = makeClient(flags);
  const { run_id: id } = await findRun(client, wanted);
  const stream = flags.stderr ? 'stderr' : 'stdout';
  await copyOutput(client, id, { stream, follow: flags.follow });
  if (!flags.follow) return;
  const run = await findRun(client, id);
  if (run.finished_at !== null) process.exitCode = exitCodeOfRun(run.state);
}

/**
 * The node that carries the output may die while the run goes on: then it is asked for again, and what was
 * printed already is skipped.
 */
async function copyOutput(
  client: ApiClient,
  id: string,
  query: { readonly stream: string; readonly follow: boolean },
): Promise<void> {
  const write = passOn(process.stdout);
  let printed = 0;
  for (let failures = 0; ; ) {
    try {
      let position = 0;
      for await (const chunk of await client.open({
        method: 'GET',
        path: `${runPath(id)}/output`,
        query,
      })) {
        const bytes: Uint8Array = chunk;
        const fresh = bytes.subarray(Math.max(0, printed - position));
        position += bytes.byteLength;
        if (fresh.byteLength === 0) continue;
        printed = position;
        failures = 0;
        if (!write(fresh)) await once(process.stdout, 'drain');
      }
      return;
    } catch (cause) {
      const failure = cause instanceof CliError ? cause : client.explain(cause);
      if (!MENDS.has(failure.exitCode)) throw failure;
      failures += 1;
      if (failures > REATTACH_TRIES) {
        throw new CliError(EXIT.UNREACHABLE, `the output broke off; run "fsched logs ${id}" again`, {
          cause,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, REATTACH_PAUSE_MS));
    }
  }
}

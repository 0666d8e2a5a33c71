import type { Command } from 'commander';
import type { RunSummaryJson } from '../../node/rest/schemas/runs.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { print, printJson } from '../output.ts';
import { findRun } from '../run-lookup.ts';

export function registerCancel(program: Command): void {
  withApiOptions(program.command('cancel <run>'))
    .description('end a run: it leaves the queue, or its program is killed')
    .action(cancel);
}

async function cancel(wanted: string, flags: ApiFlags): Promise<void> {
  const client = makeClient(flags);
  const { run_id: id } = await findRun(client, wanted);
  const answer = (await client.json({
    method: 'DELETE',
    path: `/runs/${encodeURIComponent(id)}`,
  })) as RunSummaryJson;
  if (flags.json) printJson(answer);
  else print([`run ${id} is ${answer.state}`]);
}

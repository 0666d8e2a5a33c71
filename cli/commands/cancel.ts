import type { Command } from 'commander';
import type { RunSummaryJson } from '../../node/rest/schemas/runs.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { findRun, runPath } from '../lookup.ts';
import { show } from '../output.ts';

export function registerCancel(program: Command): void {
  withApiOptions(program.command('cancel <run>'))
    .description('end a run: it leaves the queue, or its program is killed')
    .action(cancel);
}

async function cancel(wanted: string, flags: ApiFlags): Promise<void> {
  const client = makeClient(flags);
  const { run_id: id } = await findRun(client, wanted);
  const answer = await client.delete<RunSummaryJson>(runPath(id));
  show(flags, answer, ({ state }) => [`run ${id} is ${state}`]);
}

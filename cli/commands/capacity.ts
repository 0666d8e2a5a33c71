import type { Command } from 'commander';
import type { Environment } from '../../node/config/config.ts';
import type { ClusterJson } from '../../node/rest/schemas/cluster.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { mayColour, show } from '../output.ts';
import { drawWays } from '../ways.ts';

export function registerCapacity(program: Command, environment: Environment): void {
  withApiOptions(program.command('capacity'))
    .description("each node's last-level caches, drawn: a cell a way, a letter a run, and what it fills")
    .action((flags: ApiFlags) => showCapacity(flags, mayColour(environment)));
}

async function showCapacity(flags: ApiFlags, colour: boolean): Promise<void> {
  const { members } = await makeClient(flags).get<ClusterJson>('/cluster');
  const facts = members.map(({ id, name, alive, enforcement, llc }) => ({
    id,
    name,
    alive,
    enforcement,
    llc,
  }));
  show(flags, facts, () => drawWays(members, { colour }), { colour });
}

import type { Command } from 'commander';
import type { ClusterJson, WorkerJson } from '../../node/rest/schemas/cluster.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { formatAge } from '../format.ts';
import { show } from '../output.ts';
import { type Column, formatTable } from '../table.ts';

export function registerPeers(program: Command): void {
  withApiOptions(program.command('peers'))
    .description('the members of the mesh: their role, address, and when the master last heard them')
    .action(showPeers);
}

const COLUMNS: readonly Column<WorkerJson>[] = [
  { title: 'NAME', value: (member) => member.name, cut: 'end' },
  { title: 'PEER ID', value: (member) => member.id, cut: 'middle', minWidth: 13 },
  { title: 'ROLE', value: (member) => member.role },
  { title: 'STATE', value: (member) => (member.alive ? 'up' : 'down') },
  {
    title: 'HEARD',
    // Its connection may just have broken: a node that is down isn't heard now.
    value: ({ alive, last_heard_seconds: seconds }) =>
      seconds === null ? 'never' : formatAge(Math.max(alive ? 0 : 1000, seconds * 1000)),
  },
  { title: 'ADDRESS', value: (member) => member.addresses[0] ?? member.host, cut: 'end' },
];

async function showPeers(flags: ApiFlags): Promise<void> {
  const cluster = await makeClient(flags).get<ClusterJson>('/cluster');
  show(flags, cluster, ({ members }) => formatTable(members, COLUMNS));
}

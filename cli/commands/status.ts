import type { Command } from 'commander';
import type { ClusterJson } from '../../node/rest/schemas/cluster.ts';
import type { HealthJson } from '../../node/rest/schemas/service.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { formatSeconds, plural } from '../format.ts';
import { note, show } from '../output.ts';
import { formatPairs, type Pair } from '../table.ts';

export function registerStatus(program: Command): void {
  withApiOptions(program.command('status'))
    .description('the cluster in a few lines: master, term, health, members, free ways')
    .action(showStatus);
}

async function showStatus(flags: ApiFlags): Promise<void> {
  const client = makeClient(flags);
  const asked = client.get<ClusterJson>('/cluster');
  // Asked at the same time; whether it failed matters only after the node has answered for itself.
  asked.catch(() => {});
  const health = await client.get<HealthJson>('/healthz');
  try {
    const cluster = await asked;
    show(flags, cluster, () => formatPairs([...describeNode(health), ...describeCluster(cluster)]));
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.NO_MASTER) throw error;
    const state: Pair =
      health.status === 'removed' ? ['state', `removed: ${health.message ?? ''}`] : ['master', 'none now'];
    show(flags, health, () => formatPairs([...describeNode(health), state]));
    note(error.message);
    process.exitCode = EXIT.NO_MASTER;
  }
}

const describeNode = (health: HealthJson): readonly Pair[] => [
  ['this node', `${health.name} (${health.role})`],
  ['peer id', health.id],
  ['version', `${health.version}, up ${formatSeconds(health.uptime_seconds)}`],
];

function describeCluster(cluster: ClusterJson): readonly Pair[] {
  const alive = cluster.members.filter((member) => member.alive);
  const sum = (ways: (member: (typeof alive)[number]) => number | null) =>
    alive.reduce((total, member) => total + (ways(member) ?? 0), 0);
  const enforcement = [...new Set(alive.map((member) => member.enforcement ?? 'unknown'))].join(', ');
  const onlyRun = cluster.members.filter((member) => !member.may_vote).length;
  const workers = onlyRun === 0 ? '' : `, ${plural(onlyRun, 'worker')} that never vote`;
  const master = cluster.members.find((member) => member.id === cluster.master);
  return [
    ['master', master === undefined ? (cluster.master ?? 'none now') : `${master.name} (${master.host})`],
    ['term', `${cluster.term}, ${cluster.commit_index} entries committed`],
    ['health', [cluster.health.state, ...cluster.health.reasons].join('; ')],
    [
      'members',
      `${alive.length} up, ${cluster.members.length - alive.length} down; ${plural(cluster.voters.length, 'voter')}${workers}`,
    ],
    ['ways', `${sum((member) => member.free_ways)} of ${sum((member) => member.ways)} free (${enforcement})`],
    ['runs', `${cluster.running} running, ${cluster.queued} queued`],
  ];
}

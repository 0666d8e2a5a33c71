import type { Command } from 'commander';
import type { Environment } from '../../node/config/config.ts';
import type { ClusterJson, WorkerJson } from '../../node/rest/schemas/cluster.ts';
import { type ApiFlags, makeClient, withApiOptions } from '../api-command.ts';
import { mayColour, show } from '../output.ts';
import { type DrawnDomain, type DrawnNode, drawWays } from '../ways.ts';

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
  show(flags, facts, () => drawWays(members.map(toDrawing), { colour }));
}

/** A node that is down lends nothing: what was last heard of its ways is no news any more. */
export const toDrawing = (member: WorkerJson): DrawnNode => ({
  name: member.name,
  enforcement: member.enforcement,
  note: member.alive ? 'nothing is known of its cache yet' : 'down',
  domains: member.alive ? member.llc.map(toDrawnDomain) : [],
});

const toDrawnDomain = (domain: WorkerJson['llc'][number]): DrawnDomain => ({
  id: domain.id,
  ways: domain.ways,
  freeWays: domain.free_ways,
  wayBytes: domain.way_bytes,
  masks: domain.masks,
  poolBandwidthPercent: domain.pool_bandwidth_percent,
  runs: domain.runs.map((run) => ({
    runId: run.run_id,
    ways: run.ways,
    hold: run.hold,
    mask: run.mask,
    occupancyBytes: run.occupancy_bytes,
  })),
});

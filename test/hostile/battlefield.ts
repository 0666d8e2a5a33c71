/** A cluster of three daemons and a traitor, and whether all is well with it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { NODE, SQUARES } from '../cluster/programs.ts';
import { type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import type { Battlefield } from './attacks.ts';
import { HostilePeer } from './hostile-peer.ts';

/** A daemon takes a fifth of it. */
const MAX_RESIDENT_MIB = 1024;
const SUM_OF_100 = '328350\n';

export async function prepare(
  stack: AsyncDisposableStack,
  flags: readonly string[] = [],
): Promise<Battlefield> {
  const cluster = stack.use(await TestCluster.of(3, flags));
  const nodes = [...cluster.nodes];
  const traitor = stack.use(await HostilePeer.member(cluster));
  const taskId = await cluster.first.upload('squares.mjs', SQUARES, { command: NODE });
  const runId = await runOnce(cluster.first);
  const { clusterId } = (await cluster.first.get('/cluster')).json;
  return { cluster, nodes, clusterId, taskId, runId, traitor };
}

/** The id of a run that went well. */
async function runOnce(node: DaemonProcess): Promise<string> {
  return eventually('a run', async () => {
    const body = { function_name: 'squares', parameters: { input_size: 100 } };
    const reply = await node.post('/submit?wait=60', body);
    const isWell = reply.status === 200 && reply.json.result?.stdout === SUM_OF_100;
    if (!isWell) throw new Error(`${reply.status}: ${JSON.stringify(reply.json)}`);
    return reply.json.run_id as string;
  });
}

/** No process ended or grew, the three have a master and vote, and a run that is asked of each of them works. */
export async function assertWell({ nodes, traitor, cluster }: Battlefield): Promise<void> {
  for (const node of nodes) assert.ok(node.isUp, `${node.name} has ended:\n${node.logs.slice(-4000)}`);
  await eventually('a master that all know, and three voters', async () => {
    const views = await Promise.all(nodes.map(async (node) => (await node.get('/cluster')).json));
    const [{ master, term }] = views;
    const ids = nodes.map(({ peer }) => peer).sort();
    return views.every(
      (view) =>
        view.master === master &&
        view.term === term &&
        ids.includes(master) &&
        view.voters.length === 3 &&
        view.members.length === cluster.nodes.length &&
        view.voters.every((voter: string) => voter !== traitor.id),
    );
  });
  for (const node of nodes) {
    assert.equal((await node.get('/healthz')).status, 200);
    await runOnce(node);
    const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
    const mebibytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
    assert.ok(mebibytes < MAX_RESIDENT_MIB, `${node.name} took ${Math.round(mebibytes)} MiB`);
  }
}

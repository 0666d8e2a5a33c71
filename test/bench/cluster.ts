/**
 * What a running cluster costs and how fast it mends itself, with real daemons on this machine:
 *
 *     npm run bench:cluster [-- --kills 50]
 *
 * start to ready; idle memory; overhead of a trivial run against a bare spawn of the same program; time from
 * kill -9 of the master to the next accepted write.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AS_SHIPPED, type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { printHead, printRow } from './statistics.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '50' }, idle: { type: 'string', default: '30' } },
});

const elapsed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return performance.now() - start;
};

async function measureStart(): Promise<void> {
  const fresh: number[] = [];
  const again: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    await using cluster = await TestCluster.create(AS_SHIPPED);
    fresh.push(await elapsed(() => cluster.add()));
    await cluster.first.kill('SIGTERM');
    again.push(await elapsed(() => cluster.first.start()));
  }
  printRow('start to ready, new data directory', 'ms', fresh);
  printRow('start to ready, existing data directory', 'ms', again);
}

async function residentMiB(node: DaemonProcess): Promise<number> {
  const status = await readFile(`/proc/${node.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function measureIdle(cluster: TestCluster): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Number(values.idle) * 1000));
  const resident = await Promise.all(cluster.nodes.map(residentMiB));
  printRow(`resident memory, idle for ${values.idle} s`, 'MiB', resident);
}

/** Bare and through the scheduler in turn, so that a slow moment of the machine hits both. */
async function measureOverhead(cluster: TestCluster): Promise<void> {
  const { first } = cluster;
  const file = join(first.dataDir, 'trivial.sh');
  await writeFile(file, 'echo hello\n');
  const task = await first.upload('trivial.sh', 'echo hello\n');
  const request = { command: 'sh', task_id: task, input_size: 1 };
  await first.post('/controller/task/benchmark', request);
  const master = await cluster.master();
  const follower = await cluster.follower();
  const bare: number[] = [];
  const viaMaster: number[] = [];
  const viaFollower: number[] = [];
  for (let i = 0; i < 100; i += 1) {
    bare.push(await elapsed(() => once(spawn('sh', [file, '1']), 'close')));
    viaMaster.push(await elapsed(() => master.post('/controller/task/run', request)));
    viaFollower.push(await elapsed(() => follower.post('/controller/task/run', request)));
  }
  printRow('trivial program, bare spawn', 'ms', bare);
  printRow('trivial run, asked of the master', 'ms', viaMaster);
  printRow('trivial run, asked of a follower', 'ms', viaFollower);
}

/** A write is accepted when a node that lives answers 202 to a submission. */
async function untilAccepted(cluster: TestCluster): Promise<void> {
  for (let i = 0; ; i += 1) {
    const node = cluster.up[i % cluster.up.length];
    const reply = await node?.post('/submit', { function_name: 'trivial' }).catch(() => null);
    if (reply?.status === 202) return;
  }
}

async function measureFailover(cluster: TestCluster): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < Number(values.kills); i += 1) {
    const master = await cluster.master();
    const start = performance.now();
    await master.kill('SIGKILL');
    await untilAccepted(cluster);
    times.push(performance.now() - start);
    await master.start();
    await cluster.untilTablesAreEqual();
  }
  printRow('kill -9 of the master to next accepted write', 'ms', times);
}

printHead();
await measureStart();
await using cluster = await TestCluster.of(3, AS_SHIPPED);
await measureIdle(cluster);
await measureOverhead(cluster);
await measureFailover(cluster);

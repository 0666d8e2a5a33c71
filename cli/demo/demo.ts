/**
 * The whole path on one machine: three nodes, one master, a function benchmarked and run through a node that
 * isn't master, the master killed, and the same again. Every step checks what it says.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Environment } from '../../node/config/config.ts';
import { loadCredential } from '../../node/mesh/key-file.ts';
import { inspectPeer } from '../../node/mesh/strangers.ts';
import type { ResultJson, RunDetailJson } from '../../node/rest/schemas/runs.ts';
import type { TaskDetailJson } from '../../node/rest/schemas/tasks.ts';
import { printableLines } from '../../protocols/schema/text.ts';
import type { Inspection } from '../../protocols/schema/views.ts';
import { makeForm } from '../api-client.ts';
import { repeatable } from '../api-command.ts';
import { EXIT, type ExitCode, messageOf } from '../exit-codes.ts';
import { formatSeconds, plural } from '../format.ts';
import { mayColour, note, print } from '../output.ts';
import { describeProfile } from '../profile-table.ts';
import { onInterrupt } from '../signals.ts';
import { type DrawnNode, drawWays } from '../ways.ts';
import { DemoCluster, fetchCluster, waitFor } from './demo-cluster.ts';
import type { DemoNode } from './demo-node.ts';
import { chooseExample, type Example, expectedOutput } from './example.ts';

export interface DemoOptions {
  /** Whether it ends after the last step. */
  readonly once: boolean;
  readonly environment: Environment;
}

export async function runDemo({ once, environment }: DemoOptions): Promise<ExitCode> {
  const interrupted = Promise.withResolvers<'interrupted'>();
  onInterrupt(() => interrupted.resolve('interrupted'));
  await using cluster = await DemoCluster.create(environment);
  try {
    const steps = showEverything(cluster, mayColour(environment)).then(() => 'done' as const);
    // An interrupt stops the nodes under the steps' feet; that they then fail is no news.
    steps.catch(() => {});
    if ((await Promise.race([steps, interrupted.promise])) === 'interrupted') return EXIT.INTERRUPTED;
  } catch (error) {
    note(`the demo failed: ${messageOf(error)}`);
    for (const node of cluster.nodes) process.stderr.write(printableLines(await lastLines(node)));
    return EXIT.FAILED;
  }
  if (!once) {
    print(['', 'The nodes stay up; talk to any of them (Ctrl-C ends the demo):']);
    print(cluster.nodes.map((node) => `  fsched status --api ${node.ready.rest}    (${node.name})`));
    await interrupted.promise;
  }
  print(['Stopping the nodes and removing their files.']);
  return EXIT.OK;
}

const say = (sentence: string) => print(['', `==> ${sentence}`]);
const show = (lines: readonly string[], style = {}) =>
  print(
    lines.map((line) => `    ${line}`),
    style,
  );

async function showEverything(cluster: DemoCluster, colour: boolean): Promise<void> {
  const example = chooseExample();
  await showElection(cluster);
  const taskId = await showUpload(cluster, example);
  await showBenchmark(cluster, example, taskId);
  await showRun(cluster, example, taskId, colour);
  const dead = await showFailover(cluster, example);
  await showRun(cluster, example, taskId, colour);
  await showReturn(cluster, dead);
}

async function showElection(cluster: DemoCluster): Promise<void> {
  say('Starting three nodes; beta and gamma join through alpha, proving that they know its token.');
  const startedMs = performance.now();
  await cluster.start();
  show(
    cluster.nodes.map((node) => `${node.name.padEnd(5)}  ${node.ready.rest}  …${node.ready.peer.slice(-8)}`),
  );
  await cluster.awaitVoters(3);
  const { master, term } = await cluster.agreedMaster();
  show([`${master.name} is master of term ${term}, and all three say so (${since(startedMs)}).`]);
}

const since = (startedMs: number) => formatSeconds((performance.now() - startedMs) / 1000);

async function showUpload(cluster: DemoCluster, example: Example): Promise<string> {
  const follower = await cluster.follower();
  say(`Uploading ${example.fileName} through ${follower.name}, which forwards it to the master.`);
  const form = await makeForm({ command: example.command }, example.fileName, new Blob([example.source]));
  const { task_id: taskId } = await follower
    .client()
    .post<{ readonly task_id: string }>('/controller/task/new', form);
  show([`task ${taskId}, on the disks of a majority`]);
  return taskId;
}

const executeBody = (example: Example, taskId: string) => ({
  command: example.command,
  task_id: taskId,
  input_size: example.inputSize,
});

async function showBenchmark(cluster: DemoCluster, example: Example, taskId: string): Promise<void> {
  const follower = await cluster.follower();
  say(`Benchmarking it at input size ${example.inputSize} through ${follower.name}.`);
  const client = follower.client(null);
  const body = executeBody(example, taskId);
  show(['A node with valgrind simulates the cache for each point: slow, and the same on every machine.']);
  await client.post('/controller/task/benchmark', body, repeatable());
  const task = await client.get<TaskDetailJson>(`/tasks/${taskId}`);
  const profile = task.profiles.find((candidate) => candidate.input_size === example.inputSize);
  if (profile === undefined) throw new Error('the benchmark left no profile');
  show(describeProfile(profile));
}

/** Several runs at once, so that there is something to draw. */
async function showRun(
  cluster: DemoCluster,
  example: Example,
  taskId: string,
  colour: boolean,
): Promise<void> {
  const follower = await cluster.follower();
  say(`Running it four times at once through ${follower.name}; the ways of each node meanwhile:`);
  const body = executeBody(example, taskId);
  const runs = Promise.all(
    Array.from({ length: 4 }, () =>
      follower
        .client(null)
        .post<{ readonly result?: ResultJson }>('/controller/task/run', body, repeatable()),
    ),
  );
  show(drawWays(await busiestMoment(follower, runs), { colour, width: 76 }), { colour });
  for (const { result } of await runs) {
    if (result?.state !== 'succeeded' || result.stdout !== expectedOutput(example.inputSize)) {
      throw new Error(`a run went wrong: ${JSON.stringify(result ?? 'nothing was run')}`);
    }
    const { secs, nanos } = result.execution_time;
    const node = cluster.up.find((candidate) => candidate.ready.peer === result.node)?.name ?? 'a node';
    show([
      `run ${result.id.slice(0, 8)} on ${node}: ${plural(result.ways, 'way')}, ${formatSeconds(secs + nanos / 1e9)}, ${result.stdout.trim()}`,
    ]);
  }
}

/** What the nodes' caches looked like when most of the runs held ways, and filled most. */
async function busiestMoment(node: DemoNode, runs: Promise<unknown>): Promise<readonly DrawnNode[]> {
  const over = runs.then(() => true);
  let busiest: readonly DrawnNode[] = [];
  do {
    const seen = (await fetchCluster(node.client())).members;
    if (busiest.length === 0 || isBusier(seen, busiest)) busiest = seen;
  } while (!(await Promise.race([over, delay(20, false)])));
  if (runsOf(busiest).length === 0) throw new Error('no node was ever seen lending ways to a run');
  return busiest;
}

function isBusier(seen: readonly DrawnNode[], before: readonly DrawnNode[]): boolean {
  const filled = (nodes: readonly DrawnNode[]) =>
    runsOf(nodes).reduce((sum, { occupancy_bytes: bytes }) => sum + (bytes ?? 0), 0);
  const more = runsOf(seen).length - runsOf(before).length;
  return more > 0 || (more === 0 && filled(seen) > filled(before));
}

const runsOf = (nodes: readonly DrawnNode[]) =>
  nodes.filter(({ alive }) => alive).flatMap(({ llc }) => llc.flatMap(({ runs }) => runs));

async function showFailover(cluster: DemoCluster, example: Example): Promise<DemoNode> {
  const { master, term } = await cluster.agreedMaster();
  say(`Killing ${master.name}, the master of term ${term}, with SIGKILL.`);
  const killedMs = performance.now();
  await master.kill();
  const [survivor] = cluster.up;
  if (survivor === undefined) throw new Error('no node survived');
  const body = { function_name: example.fileName.split('.')[0], parameters: { input_size: 1 } };
  const probe = await waitFor('a write that is accepted', () =>
    survivor.client(5000).post<{ readonly run_id: string }>('/submit', body),
  );
  const outage = since(killedMs);
  const next = await cluster.agreedMaster();
  if (next.term <= term) throw new Error(`term ${next.term} does not follow term ${term}`);
  show([`${next.master.name} is master of term ${next.term}; the next write was accepted after ${outage}.`]);
  // The write was a run like any other; it shall not be among those that are drawn next.
  await waitFor('the end of that run', async () => {
    return (await survivor.client().get<RunDetailJson>(`/runs/${probe.run_id}`)).finished_at;
  });
  return master;
}

async function showReturn(cluster: DemoCluster, dead: DemoNode): Promise<void> {
  say(`Starting ${dead.name} again; it catches up.`);
  const startedMs = performance.now();
  await cluster.startJoining(dead);
  await cluster.awaitVoters(3);
  const { versions, fingerprint } = await waitFor('three nodes with equal tables', async () => {
    const tables = await Promise.all(cluster.nodes.map((node) => tablesOf(node)));
    return tables.every((table) => isDeepStrictEqual(table, tables[0])) ? (tables[0] ?? null) : null;
  });
  const changes = Object.entries(versions).map(([table, version]) => `${table} ${version}`);
  show([
    `All three hold the same tables (${since(startedMs)}): fingerprint ${fingerprint.slice(0, 16)},`,
    `changes so far: ${changes.join(', ')}.`,
  ]);
}

/** What the node itself holds, asked over libp2p: REST would forward the question to the master. */
async function tablesOf(node: DemoNode): Promise<Inspection['tables']> {
  const [target] = node.ready.mesh;
  if (target === undefined) throw new Error(`${node.name} listens nowhere`);
  const key = await loadCredential(join(node.dataDir, 'peer-key'));
  if (key === null) throw new Error(`${node.name} has no key`);
  const answer = await inspectPeer(target, key);
  if (!answer.ok) throw new Error(answer.error.message);
  return (answer.value.view as Inspection).tables;
}

async function lastLines(node: DemoNode): Promise<string> {
  const log = await readFile(node.logFile, 'utf8').catch(() => '');
  return `--- last lines of ${node.name}:\n${log.trimEnd().split('\n').slice(-8).join('\n')}\n`;
}

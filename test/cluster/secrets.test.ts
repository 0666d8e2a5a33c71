/**
 * Secrets go through all that a cluster does, with every log line there is, and are looked for wherever anything is
 * kept or told.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readEnvironment } from '../../node/procfs.ts';
import { type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { NODE, processesOf, UNTIL_WOKEN, wakeUntil } from './programs.ts';

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Tells what it was handed by hashes, and sleeps for INPUT_SIZE milliseconds or until it is woken. */
const PROGRAM = `
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
const folder = process.env.FSCHED_SECRETS_DIR;
for (const name of readdirSync(folder).sort())
  console.log(name, createHash('sha256').update(readFileSync(folder + '/' + name)).digest('hex'));
const timer = setTimeout(() => process.exit(0), Number(process.argv[2]));
process.on('SIGUSR2', () => process.exit(0));
`;

/** Random, so that compression on disk leaves it as it is. */
const [SHARED, OWN, TOKEN] = [48, 48, 48].map((size) => randomBytes(size)) as [Buffer, Buffer, Buffer];
const encoded = (secrets: Record<string, Buffer>): Record<string, string> =>
  Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, value.toString('base64')]));
const told = (secrets: Record<string, Buffer>): string =>
  Object.entries(secrets)
    .map(([name, value]) => `${name} ${hash(value)}\n`)
    .join('');
const OF_TASK = { DB_PASSWORD: SHARED, TOKEN };
const OF_RUN = { DB_PASSWORD: OWN };

describe('secrets in a cluster', () => {
  let cluster: TestCluster;
  let task = '';
  const answers: string[] = [];
  const ask = (node: DaemonProcess) => async (path: string) => {
    const text = await (await node.fetch(path)).text();
    answers.push(text);
    return text;
  };
  const keysOf = async ({ dataDir }: DaemonProcess): Promise<string[]> =>
    readFile(join(dataDir, 'cluster-key'), 'utf8').then(
      (text) => JSON.parse(text).keys,
      () => [],
    );
  const keyOf = async (node: DaemonProcess): Promise<string> => (await keysOf(node)).join();
  const submit = async (node: DaemonProcess, body: object = {}, query = '?wait=300') => {
    const reply = await node.post(`/submit${query}`, { function_name: 'job', ...body });
    answers.push(JSON.stringify(reply.json));
    assert.ok(reply.status < 300, JSON.stringify(reply.json));
    return reply.json;
  };

  before(async () => {
    cluster = await TestCluster.of(3, ['--log-level', 'debug']);
    const follower = await cluster.follower();
    task = await follower.upload('job.mjs', PROGRAM, {
      command: NODE,
      secrets: JSON.stringify(encoded(OF_TASK)),
    });
  });
  after(() => cluster[Symbol.asyncDispose]());

  test('an upload makes the key, and all three keep it to themselves', async () => {
    await eventually('the key on all three', async () => {
      const keys = await Promise.all(cluster.nodes.map(keyOf));
      return keys[0]?.length === 64 && new Set(keys).size === 1;
    });
    for (const { dataDir } of cluster.nodes)
      assert.equal((await stat(join(dataDir, 'cluster-key'))).mode & 0o777, 0o600);
  });

  test('a benchmark and a run hand them to the program, and the run has its own before them', async () => {
    const follower = await cluster.follower();
    const request = { command: NODE, task_id: task, input_size: 1 };
    const benchmark = await follower.post('/controller/task/benchmark', {
      ...request,
      profiler: 'wallclock',
    });
    assert.equal(benchmark.status, 200, JSON.stringify(benchmark.json));
    const run = await follower.post('/controller/task/run', { ...request, secrets: encoded(OF_RUN) });
    answers.push(JSON.stringify([benchmark.json, run.json]));
    assert.equal(run.json.result?.stdout, told({ ...OF_TASK, ...OF_RUN }), JSON.stringify(run.json));
    assert.equal((await submit(follower)).result.stdout, told(OF_TASK));
  });

  test('they reach programs on other nodes, and stand in no environment; a cancelled run leaves none', async () => {
    const master = await cluster.master();
    const parameters = { input_size: UNTIL_WOKEN };
    const runs: string[] = [];
    for (let count = 0; count < 6; count += 1)
      runs.push((await submit(master, { parameters, secrets: encoded(OF_RUN) }, '')).run_id);
    const placed = await eventually('runs on more than one node', async () => {
      const { runs: all } = JSON.parse(await ask(master)('/runs?state=running'));
      return new Set(all.map(({ node }: { node: string }) => node)).size > 1 && all;
    });
    const elsewhere = placed.find(({ node }: { node: string }) => node !== master.peer);
    const output = await eventually('its output', async () => {
      const text = await (await master.fetch(`/runs/${elsewhere.run_id}/output`)).text();
      return text.split('\n').length > 2 && text;
    });
    assert.equal(output, told({ ...OF_TASK, ...OF_RUN }));
    const pids = runs.flatMap(processesOf);
    assert.ok(pids.length > 0);
    for (const pid of [...pids, ...cluster.nodes.map((node) => node.pid)]) {
      const environment = readEnvironment(pid) ?? '';
      const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      for (const value of [SHARED, OWN, TOKEN])
        for (const form of formsOf(value)) assert.ok(!(environment + line).includes(form), String(pid));
    }
    const cancelled = await master.request(`/runs/${elsewhere.run_id}`, { method: 'DELETE' });
    assert.equal(cancelled.status, 200);
    const ends = Promise.all(
      runs.map((id) =>
        eventually(`the end of ${id}`, async () => JSON.parse(await ask(master)(`/runs/${id}`)).finished_at),
      ),
    );
    await wakeUntil(ends, runs);
  });

  test('after kill -9 of the master, the next one opens them', async () => {
    const master = await cluster.master();
    await master.kill('SIGKILL');
    const next = await cluster.master();
    assert.equal((await submit(next)).result.stdout, told(OF_TASK));
    await master.start();
    await cluster.master();
  });

  test('a new member gets the key; when it is removed the others have another, and it none', async () => {
    const joiner = await cluster.join();
    const old = await keyOf(await cluster.master());
    await eventually('the key of the new member', async () => (await keyOf(joiner)) === old);
    const master = await cluster.master();
    const removed = await master.request(`/cluster/workers/${joiner.peer}`, { method: 'DELETE' });
    assert.equal(removed.status, 200, JSON.stringify(removed.json));
    await eventually('another key on all that are left', async () => {
      const keys = await Promise.all(cluster.nodes.filter((node) => node !== joiner).map(keyOf));
      return keys[0]?.length === 64 && keys[0] !== old && new Set(keys).size === 1;
    });
    assert.equal((await submit(master)).result.stdout, told(OF_TASK));
    await eventually('no key with the removed member', async () => (await keyOf(joiner)) === '');
    await joiner.kill('SIGTERM');
  });

  test('a member that only carries out runs is handed their secrets, and no key', async () => {
    const master = await cluster.master();
    const made = await master.post('/tokens', { kind: 'join', role: 'worker' });
    const tokenFile = join(master.dataDir, '..', 'worker-token');
    await writeFile(tokenFile, made.json.token);
    const worker = await cluster.add(['--join', master.meshTarget, '--token-file', tokenFile]);
    const runs: string[] = [];
    const there = await eventually('a run on it', async () => {
      runs.push((await submit(master, { parameters: { input_size: UNTIL_WOKEN } }, '')).run_id);
      const { runs: placed } = (await master.get('/runs?state=running')).json;
      return placed.find(({ node }: { node: string }) => node === worker.peer);
    });
    const ends = runs.map((id) =>
      eventually(`the end of ${id}`, async () => (await master.get(`/runs/${id}`)).json.finished_at),
    );
    await wakeUntil(Promise.all(ends), runs);
    assert.equal((await master.get(`/runs/${there.run_id}`)).json.result.stdout, told(OF_TASK));
    assert.deepEqual(await keysOf(worker), []);
  });

  test('nothing of them is in any log, answer, listing or file', async () => {
    const master = await cluster.master();
    for (const node of cluster.up) {
      for (const path of [
        '/tasks',
        `/tasks/${task}`,
        '/runs',
        '/cluster',
        '/metrics',
        '/openapi.json',
        '/healthz',
      ])
        await ask(node)(path);
      await ask(node)('/predictor/explain?function_name=job&input_size=1');
      answers.push(JSON.stringify(await node.inspect()));
    }
    const { runs } = (await master.get('/runs')).json;
    assert.deepEqual((await master.get(`/tasks/${task}`)).json.secrets, ['DB_PASSWORD', 'TOKEN']);
    assert.ok(runs.some(({ secrets }: { secrets: string[] }) => secrets.join() === 'DB_PASSWORD'));
    for (const { run_id: id } of runs) await ask(master)(`/runs/${id}`);

    const files = (await Promise.all(cluster.nodes.map(({ dataDir }) => listFiles(dataDir)))).flat();
    const kept = await Promise.all(
      files.map(async (path) => [path, await readFile(path, 'latin1').catch(() => '')] as const),
    );
    const places = [
      ...kept,
      ...cluster.nodes.map(({ name, logs }) => [`log of ${name}`, logs] as const),
      ...answers.map((text) => ['answer', text] as const),
    ];
    // That it looks where things are.
    for (const name of ['/log/', 'log of', 'answer'])
      assert.ok(
        places.some(([where, text]) => where.includes(name) && text.includes(task)),
        name,
      );
    for (const [where, text] of places)
      for (const value of [SHARED, OWN, TOKEN])
        for (const form of formsOf(value)) assert.ok(!text.includes(form), `a secret is in ${where}`);
    // Nor the key, but in its own file.
    const key = await keyOf(master);
    for (const [where, text] of places.filter(([path]) => !path.endsWith('/cluster-key')))
      for (const form of formsOf(Buffer.from(key, 'hex')))
        assert.ok(!text.includes(form), `the key is in ${where}`);
  });
});

/** As one might come across it. */
const formsOf = (value: Buffer): string[] => [
  value.toString('latin1'),
  value.toString('hex'),
  value.toString('base64'),
  value.toString('base64url'),
  [...value].join(','),
  [...value].map((byte, at) => `"${at}":${byte}`).join(','),
];

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

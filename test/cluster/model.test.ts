/** The predictor in a cluster of three real daemons. What needs weights is skipped where the program has none. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compile, missingTools, PROGRAMS } from '../support/c-programs.ts';
import { type DaemonProcess, type Reply, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { NODE, SQUARES } from './programs.ts';

/** Sleeps for as long as its parameters say, whatever its input size: a program that changes its behaviour. */
const MOODY = `
const { sleepMs } = JSON.parse(process.env.FSCHED_PARAMETERS);
setTimeout(() => console.log('done'), sleepMs);
`;

/** Long beside what a busy machine takes to start a program. */
const SLOW_MS = 4000;

interface ModelNode {
  readonly name: string;
  readonly alive: boolean;
  readonly version: number | null;
}

describe('the predictor in a cluster', () => {
  let cluster: TestCluster;
  let master: DaemonProcess;
  let follower: DaemonProcess;
  before(async () => {
    cluster = await TestCluster.of(3);
    master = await cluster.master();
    follower = await cluster.follower();
  });
  after(() => cluster[Symbol.asyncDispose]());

  const model = async (node = follower) => (await node.get('/predictor/model')).json;

  test('every node is asked for its version, and every node answers for all', async () => {
    const heard = await eventually('all three heard', async () => {
      const view = await model();
      const { nodes } = view as { nodes: readonly ModelNode[] };
      const same = new Set(nodes.map(({ version }) => version)).size === 1;
      return nodes.length === 3 && nodes.every(({ alive }) => alive) && same && view;
    });
    assert.deepEqual([heard.current, heard.versions, heard.dropped], [0, [], []]);
    assert.deepEqual(heard.training, { running: null, last: null });
  });

  test('to train on nothing, or to select what is not there, is refused with a sentence', async () => {
    const train = await follower.request('/predictor/model/train', { method: 'POST' });
    assert.deepEqual([train.status, train.json.code], [409, 'CONFLICT']);
    assert.match(train.json.message, /no weights|nothing to learn from/);
    const unknown = await follower.post('/predictor/model/select', { version: 7 });
    assert.equal(unknown.status, 404);
    assert.match(unknown.json.message, /no version 7.*known: 0/);
    assert.equal((await follower.post('/predictor/model/select', { version: 0 })).status, 200);
  });

  test('what a run was allowed and got is recorded with it, and explained by every node', async () => {
    const task = await follower.upload('squares.mjs', SQUARES);
    const request = { command: NODE, task_id: task, input_size: 100 };
    assert.equal((await follower.post('/controller/task/benchmark', request)).status, 200);
    const run = await follower.post('/controller/task/run', { ...request, max_slowdown: 3 });
    assert.equal(run.status, 200, JSON.stringify(run.json));
    const { choice } = run.json.result;
    assert.equal(choice.max_slowdown, 3);
    assert.ok(choice.needed <= choice.ways && choice.expected_slowdown <= choice.at_most);
    const shown = (await master.get(`/runs/${run.json.result.id}`)).json;
    assert.deepEqual(shown.choice, choice);
    assert.equal(
      (await follower.post('/controller/task/run', { ...request, max_slowdown: 0.5 })).status,
      400,
    );

    const query = `task_id=${task}&input_size=100&max_slowdown=3`;
    for (const node of cluster.nodes) {
      const explained = (await node.get(`/predictor/explain?${query}`)).json;
      assert.deepEqual([explained.mode, explained.max_slowdown], ['BENCHMARKED', 3]);
      assert.equal(explained.slowdown.length, explained.cache.ways);
      assert.equal(explained.measured[0].profiler, 'wallclock');
      const picture = await node.fetch(`/predictor/explain?${query}&format=svg`);
      assert.equal(picture.headers.get('content-type'), 'image/svg+xml; charset=utf-8');
      assert.match(await picture.text(), /^<svg [\s\S]*squares at input size 100[\s\S]*<\/svg>\n$/);
    }
  });

  test('times of runs are known everywhere; runs that nothing held make no task ready', async () => {
    await follower.upload('moody.mjs', MOODY, { command: NODE });
    const [task] = (await follower.get('/tasks')).json.tasks;
    await submitMany(10, 0);
    const early = await follower.post('/controller/task/run', {
      command: NODE,
      task_id: task.task_id,
      input_size: 5,
    });
    assert.match(early.json.message, /not yet ready/);
    assert.equal((await follower.get(`/tasks/${task.task_id}`)).json.drift, null);
    await submitMany(10, SLOW_MS);
    const { drift } = (await follower.get(`/tasks/${task.task_id}`)).json;
    assert.ok(drift, 'ten runs that take ten times as long');
    assert.equal(drift.input_size, 5);
    assert.ok(drift.after_seconds * 1000 > SLOW_MS && drift.before_seconds * 1000 < SLOW_MS);
    assert.match(drift.message, /times as slow/);
    const explained = (await master.get(`/predictor/explain?function=moody&input_size=5`)).json;
    assert.deepEqual(explained.drift, drift);
    await eventually('a line in the log', async () => /task drifted/.test(master.logs));
    await cluster.untilTablesAreEqual();
    const { versions } = (await cluster.first.inspect()).tables;
    assert.ok((versions.observations ?? 0) >= 20);
  });

  async function submitMany(count: number, sleepMs: number): Promise<void> {
    const body = { function_name: 'moody', parameters: { input_size: 5, sleepMs } };
    const replies = await Promise.all(
      Array.from({ length: count }, () => follower.post('/submit?wait=300', body)),
    );
    for (const reply of replies) assert.equal(reply.json.state, 'succeeded', JSON.stringify(reply.json));
  }
});

describe('a model that learns in a cluster', { skip: missingTools() }, () => {
  let cluster: TestCluster;
  let folder = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fsched-programs-'));
    cluster = await TestCluster.of(3, ['--llc-geometry', '16x128KiB']);
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test('trains on benchmarks by request; what is better is held by every node, and can be gone back from', async () => {
    const follower = await cluster.follower();
    const first = (await follower.get('/predictor/model')).json;
    assert.match(first.sha256, /^[0-9a-f]{64}$/);
    const names = ['sweep', 'matrix', 'random', 'arithmetic'] as const;
    for (const [index, name] of names.entries()) {
      const file = readFileSync(compile(PROGRAMS[name], folder));
      const task = await follower.upload(name, file, { command: `./${name}` });
      const request = { command: `./${name}`, task_id: task, input_size: 60 + index, profiler: 'cachegrind' };
      const reply: Reply = await follower.post('/controller/task/benchmark', request);
      assert.equal(reply.status, 200, JSON.stringify(reply.json));
    }
    const begun = await follower.request('/predictor/model/train', { method: 'POST' });
    // It may have begun by itself with the fourth task.
    assert.ok([202, 409].includes(begun.status), JSON.stringify(begun.json));
    const trained = await eventually('an outcome', async () => {
      const view = (await follower.get('/predictor/model')).json;
      return view.training.running === null && view.training.last !== null && view;
    });
    assert.ok(trained.versions.length + trained.dropped.length >= 1, trained.training.last);
    const [candidate] = [...trained.versions, ...trained.dropped];
    assert.equal(candidate.after.loss < candidate.before.loss, trained.versions.length > 0);
    if (trained.versions.length === 0) return;
    const untilHeld = (version: number): Promise<unknown> =>
      eventually(`version ${version} on every node`, async () => {
        const { nodes } = (await follower.get('/predictor/model')).json;
        return nodes.every((node: ModelNode) => node.alive && node.version === version);
      });
    await untilHeld(trained.current);
    await cluster.join();
    await untilHeld(trained.current);
    const master = await cluster.master();
    await master.kill('SIGKILL');
    const next = await cluster.master();
    assert.deepEqual((await next.get('/predictor/model')).json.versions, trained.versions);
    await master.start();
    await untilHeld(trained.current);
    assert.equal((await follower.post('/predictor/model/select', { version: 0 })).status, 200);
    await untilHeld(0);
    await cluster.untilTablesAreEqual();
  });
});

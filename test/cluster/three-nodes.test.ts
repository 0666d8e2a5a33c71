import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { NODE, SLEEPER, SQUARES, UNTIL_WOKEN, wakeUntil } from './programs.ts';

const SUM_OF_100 = '328350\n';

test('three nodes: elect, forward, benchmark, run; the master is killed; all goes on; it comes back', async (t) => {
  await using cluster = await TestCluster.of(3);
  const master = await cluster.master();
  const follower = await cluster.follower();
  let task = '';

  await t.test('a follower takes an upload, a benchmark and a run for the master', async () => {
    task = await follower.upload('squares.mjs', SQUARES);
    const request = { command: NODE, task_id: task, input_size: 100 };
    const early = await follower.post('/controller/task/run', request);
    assert.deepEqual(early.json, {
      message: 'Task is not yet ready for execution. Try benchmarking it with a specific input size',
    });
    const benchmark = await follower.post('/controller/task/benchmark', request);
    assert.equal(benchmark.status, 200, JSON.stringify(benchmark.json));
    assert.equal(benchmark.json.message, 'Benchmarking was successful and task is ready for execution');
    assert.equal(benchmark.json.exec_time.input_size, 100);
    assert.match(benchmark.json.exec_time.time, /^[\d.]+(us|ms|s)$/);
    const run = await follower.post('/controller/task/run', request);
    assert.equal(run.json.mode, 'BENCHMARKED');
    assert.equal(run.json.result.stdout, SUM_OF_100);
    assert.equal(run.json.result.exit_status, 0);
    assert.equal(run.json.result.enforcement, 'unenforced');
    assert.ok(Number.isInteger(run.json.result.execution_time.nanos));
    const assisted = await follower.post('/controller/task/run', { ...request, input_size: 200 });
    assert.equal(assisted.json.mode, 'ASSISTED');
  });

  await t.test('a file of many windows goes through a follower to the disks of a majority', async () => {
    const content = new Uint8Array(48 * 1024 * 1024).map((_, i) => i % 251);
    await follower.upload('large.bin', content, { command: 'true' });
  });

  await t.test('the tables are equal on all three', async () => {
    await cluster.untilTablesAreEqual();
  });

  await t.test('after kill -9 of the master another one is elected and runs the same task', async () => {
    await master.kill('SIGKILL');
    const next = await cluster.master();
    assert.notEqual(next, master);
    const run = await next.post('/controller/task/run', { command: NODE, task_id: task, input_size: 100 });
    assert.equal(run.status, 200, JSON.stringify(run.json));
    assert.equal(run.json.result.stdout, SUM_OF_100);
    assert.equal(run.json.mode, 'BENCHMARKED');
  });

  await t.test('the old master comes back as a follower and catches up', async () => {
    await master.start();
    const now = await cluster.master();
    assert.notEqual(now, master);
    await cluster.untilTablesAreEqual();
    const runs = await master.get('/runs?limit=1000');
    assert.ok(runs.json.runs.length >= 3);
  });

  await t.test(
    'without a majority there is no master: 503 with Retry-After, and nothing is accepted',
    async () => {
      const [last, ...others] = cluster.nodes;
      assert.ok(last);
      for (const node of others) await node.kill('SIGKILL');
      const refused = await eventually('503', async () => {
        const reply = await last.get('/tasks');
        return reply.status === 503 && reply;
      });
      assert.ok(Number(refused.headers.get('retry-after')) >= 1);
      assert.equal(refused.json.code, 'NO_MASTER');
      assert.equal((await last.get('/healthz')).json.master, null);
      await Promise.all(others.map((node) => node.start()));
      await cluster.master();
      await cluster.untilTablesAreEqual();
    },
  );
});

test('a program that runs while its master dies hands its result to the next one; the client gets one answer', async () => {
  await using cluster = await TestCluster.of(3);
  const master = await cluster.master();
  const follower = await cluster.follower();
  const task = await follower.upload('sleeper.mjs', SLEEPER);
  await follower.post('/controller/task/benchmark', { command: NODE, task_id: task, input_size: 1 });
  // The master is kept busy, so that the run lands on another node and survives it.
  const request = { command: NODE, task_id: task, input_size: UNTIL_WOKEN };
  const answers = [1, 2, 3, 4, 5, 6].map(() => follower.post('/controller/task/run', request));
  const running = await eventually('six runs', async () => {
    const { runs } = (await follower.get('/runs?state=running')).json;
    return runs.length === 6 && runs;
  });
  const before = new Map<string, { node: string; attempts: number }>(
    running.map((run: { run_id: string; node: string; attempts: number }) => [run.run_id, run]),
  );
  assert.ok([...before.values()].some((run) => run.node !== master.peer));
  await master.kill('SIGKILL');
  for (const answer of await wakeUntil(Promise.all(answers), [...before.keys()])) {
    assert.equal(answer.status, 200, JSON.stringify(answer.json));
    const { result } = answer.json;
    assert.equal(result.stdout, 'started\ndone\n');
    const then = before.get(result.id);
    assert.ok(then, 'the run that was asked for, not another one');
    // Those of the dead master's own worker had to begin anew; the others were not disturbed.
    assert.equal(result.attempts, then.node === master.peer ? 2 : 1);
    assert.notEqual(result.node, master.peer);
  }
});

test('a worker that dies loses its runs to the others', async () => {
  await using cluster = await TestCluster.of(3);
  const master = await cluster.master();
  const task = await master.upload('sleeper.mjs', SLEEPER);
  await master.post('/controller/task/benchmark', { command: NODE, task_id: task, input_size: 1 });
  const request = { command: NODE, task_id: task, input_size: UNTIL_WOKEN };
  const answers = [1, 2, 3, 4, 5, 6].map(() => master.post('/controller/task/run', request));
  const runs = await eventually('six runs', async () => {
    const { runs } = (await master.get('/runs?state=running')).json;
    return runs.length === 6 && runs;
  });
  const worker = cluster.nodes.find((node) => node !== master);
  assert.ok(worker);
  await worker.kill('SIGKILL');
  const ids = runs.map((run: { run_id: string }) => run.run_id);
  const results = (await wakeUntil(Promise.all(answers), ids)).map((answer) => answer.json.result);
  assert.deepEqual(new Set(results.map((result) => result.stdout)), new Set(['started\ndone\n']));
  assert.ok(results.every((result) => result.node !== worker.peer));
  assert.equal(results.filter((result) => result.attempts === 2).length, 2);
});

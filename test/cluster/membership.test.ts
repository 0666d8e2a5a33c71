import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { NODE, SLEEPER, SQUARES, UNTIL_WOKEN, wakeUntil } from './programs.ts';

test('members vote in odd numbers: 1, then 1 of 2, 3 of 3, 3 of 4, 5 of 5', async () => {
  await using cluster = await TestCluster.of(2);
  await cluster.untilVoters(1);
  await cluster.join();
  await cluster.untilVoters(3);
  await cluster.join();
  await cluster.untilVoters(3);
  await cluster.join();
  await cluster.untilVoters(5);
  await cluster.untilTablesAreEqual();

  const master = await cluster.master();
  const leaver = cluster.nodes.find((node) => node !== master);
  assert.ok(leaver);
  const removed = await master.request(`/cluster/workers/${leaver.peer}`, { method: 'DELETE' });
  assert.equal(removed.status, 200, JSON.stringify(removed.json));
  await eventually('3 voters of 4 members', async () => {
    const { voters, members } = (await master.get('/cluster')).json;
    return voters.length === 3 && members.length === 4;
  });
});

test('a wrong token: the node does not start, and says what to do', async () => {
  await using cluster = await TestCluster.of(1);
  const wrong = join(cluster.first.dataDir, '..', 'wrong-token');
  await writeFile(wrong, 'this is not the token of the cluster\n');
  await assert.rejects(
    () => cluster.add(['--join', cluster.first.meshTarget, '--token-file', wrong]),
    /token/i,
  );
  assert.equal((await cluster.first.get('/cluster/workers')).json.workers.length, 1);
});

test('a node that starts before its cluster waits for it, and joins', async () => {
  await using cluster = await TestCluster.of(1);
  const { meshTarget, tokenFile } = cluster.first;
  await cluster.first.kill('SIGKILL');
  const early = await cluster.add(['--join', meshTarget, '--token-file', tokenFile]);
  assert.equal((await early.get('/tasks')).status, 503);
  await cluster.first.start();
  await eventually(
    'two members',
    async () => (await early.get('/cluster/workers')).json.workers?.length === 2,
  );
});

test('a member that comes back at another address is found again by its peer id', async () => {
  await using cluster = await TestCluster.of(3);
  const follower = await cluster.follower();
  await follower.kill('SIGTERM');
  const before = follower.mesh;
  follower.mesh = '';
  await follower.start();
  assert.notEqual(follower.mesh, before);
  const master = await cluster.master();
  await eventually('the new address in the members table', async () => {
    const { members } = (await master.get('/cluster')).json;
    const member = members.find((row: { id: string }) => row.id === follower.peer);
    return member.alive && member.addresses[0] === follower.mesh;
  });
  await cluster.untilTablesAreEqual();
});

test('worker/add invites a node that waits; 500 when nothing answers; 409 when the node has tasks', async () => {
  await using cluster = await TestCluster.of(1);
  const { first } = cluster;
  const host = (node: DaemonProcess): { host: string } => ({ host: node.meshTarget });
  const waiting = await cluster.add(['--token-file', cluster.tokenFile]);
  const added = await first.post('/cluster/worker/add', host(waiting));
  assert.deepEqual([added.status, added.json], [200, { message: 'worker node successfully added' }]);
  await eventually('two members', async () => {
    const { workers } = (await waiting.get('/cluster/workers')).json;
    return (
      workers?.length === 2 && workers.every((row: object) => Object.keys(row).sort().join() === 'host,id')
    );
  });
  await cluster.untilTablesAreEqual();

  const again = await first.post('/cluster/worker/add', host(waiting));
  assert.equal(again.status, 200, 'adding it again changes nothing');

  const missing = await first.post('/cluster/worker/add', {});
  assert.equal(missing.status, 400);
  const nobody = await first.post('/cluster/worker/add', { host: '127.0.0.1:1' });
  assert.equal(nobody.status, 500);
  assert.match(nobody.json.message, /unresponsive/);

  const busy = await cluster.add(['--token-file', cluster.tokenFile]);
  await busy.upload('squares.mjs', SQUARES);
  const refused = await first.post('/cluster/worker/add', host(busy));
  assert.equal(refused.status, 409, JSON.stringify(refused.json));

  const stranger = await cluster.add();
  const untrusted = await first.post('/cluster/worker/add', host(stranger));
  assert.equal(untrusted.status, 500);
  assert.match(untrusted.json.message, /token/i);
  assert.equal((await stranger.get('/tasks')).status, 200, 'it goes on by itself');
});

test('an invited node runs functions for its new cluster', async () => {
  await using cluster = await TestCluster.of(1);
  const invited = await cluster.add(['--token-file', cluster.tokenFile]);
  await cluster.first.post('/cluster/worker/add', { host: invited.meshTarget });
  await eventually(
    'two members',
    async () => (await invited.get('/cluster/workers')).json.workers?.length === 2,
  );
  const task = await invited.upload('squares.mjs', SQUARES);
  const request = { command: NODE, task_id: task, input_size: 10 };
  await eventually(
    'the benchmark',
    async () => (await invited.post('/controller/task/benchmark', request)).status === 200,
  );
  const { result } = (await invited.post('/controller/task/run', request)).json;
  assert.equal(result.stdout, '285\n');
});

test('a member that is removed while it runs something loses its runs at once, ends them, and says so', async () => {
  await using cluster = await TestCluster.of(3);
  const master = await cluster.master();
  const leaver = await cluster.follower();
  await master.upload('sleeper.mjs', SLEEPER, { command: NODE });
  const submitted = await Promise.all(
    [1, 2, 3, 4, 5, 6].map(() =>
      master.post('/submit', { function_name: 'sleeper', parameters: { input_size: UNTIL_WOKEN } }),
    ),
  );
  await eventually('six runs', async () => (await master.get('/runs?state=running')).json.runs.length === 6);
  const removed = await master.request(`/cluster/workers/${leaver.peer}`, { method: 'DELETE' });
  assert.equal(removed.status, 200, JSON.stringify(removed.json));
  await eventually('nothing held by the removed node', async () => {
    return (await leaver.inspect()).held.length === 0;
  });
  const asked = await leaver.get('/tasks');
  assert.equal(asked.status, 503);
  assert.match(asked.json.message, /removed from its cluster/);
  const ids = submitted.map(({ json }) => json.run_id);
  const ends = ids.map((id) =>
    eventually('the end of the run', async () => {
      const run = (await master.get(`/runs/${id}`)).json;
      return run.state === 'succeeded' && run;
    }),
  );
  for (const over of await wakeUntil(Promise.all(ends), ids)) assert.notEqual(over.result.node, leaver.peer);
  const health = (await leaver.get('/healthz')).json;
  assert.equal(health.status, 'removed');
  assert.match(health.message, /remove its data directory, and make a token for it/);
  await eventually('it leaves the others in peace', async () => {
    const { peers } = (await leaver.inspect()) as unknown as { peers: readonly unknown[] };
    return peers.length === 0 && /nobody is dialled any more/.test(leaver.logs);
  });
  await leaver.kill('SIGTERM');
  await assert.rejects(() => leaver.start(), /removed from its cluster/);
});

test('a member starts again without being given the token, and lets others in', async () => {
  await using cluster = await TestCluster.of(1);
  const second = await cluster.join();
  await second.kill('SIGKILL');
  const again = new DaemonProcess(second.name, second.dataDir, []);
  cluster.nodes.splice(1, 1, again);
  await again.start();
  const third = await cluster.add(['--join', again.meshTarget, '--token-file', cluster.tokenFile]);
  await cluster.untilVoters(3);
  assert.equal((await third.get('/cluster/workers')).json.workers.length, 3);
});

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../node/adapters.ts';
import { eventually } from '../../support/eventually.ts';
import { Fleet, type Node } from './fleet.ts';

async function lost(node: Node, id: string) {
  await node.recorder.until(() => !node.recorder.isConnected(id));
}
async function found(node: Node, id: string) {
  await node.recorder.until(() => node.recorder.isConnected(id));
}

test('a member that restarts on the same address is found again', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const [listen = ''] = b.mesh.addresses();
  await b.mesh.stop();
  await lost(a, b.mesh.id);
  const view = a.mesh.peers()[0];
  assert.equal(view?.connected, false);
  assert.ok(view?.redial !== null, 'it is being dialled');
  const again = await fleet.add({ keyFile: b.keyFile, listen });
  assert.equal(again.mesh.id, b.mesh.id);
  // The other side knows nobody yet: it is found by being dialled.
  again.mesh.setCluster('test', [{ id: a.mesh.id, addresses: [] }]);
  await found(a, b.mesh.id);
  assert.equal(a.mesh.peers()[0]?.redial, null);
});

test('a member that restarts on another address is found by its peer id when it dials us', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  await b.mesh.stop();
  await lost(a, b.mesh.id);
  const again = await fleet.add({ keyFile: b.keyFile });
  assert.notDeepEqual(again.mesh.addresses(), b.mesh.addresses());
  again.mesh.setCluster('test', fleet.known([a]));
  await found(a, b.mesh.id);
  assert.equal((await a.mesh.call(b.mesh.id, { type: 'held' })).ok, true);
});

test('a member whose new address the cluster learns is dialled there at once', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  await b.mesh.stop();
  await lost(a, b.mesh.id);
  const again = await fleet.add({ keyFile: b.keyFile });
  again.mesh.setCluster('test', [{ id: a.mesh.id, addresses: [] }]);
  a.mesh.setCluster('test', fleet.known([a, again]));
  await found(a, b.mesh.id);
});

test('another node at the address of a member is not taken for it', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const [listen = ''] = b.mesh.addresses();
  await b.mesh.stop();
  await lost(a, b.mesh.id);
  const impostor = await fleet.add({ listen });
  impostor.mesh.setCluster('test', fleet.known([a, impostor]));
  const dials = () => a.mesh.peers()[0]?.redial?.attempts ?? 0;
  const before = dials();
  await eventually('two dials', () => dials() >= before + 2);
  assert.equal(a.recorder.isConnected(b.mesh.id), false);
  assert.equal(a.recorder.isConnected(impostor.mesh.id), false);
});

test('members that dial each other at the same time settle without a flap', async () => {
  await using fleet = await Fleet.of(5);
  await fleet.form();
  for (const { mesh } of fleet.nodes) {
    for (const { id } of mesh.peers()) {
      if (id !== mesh.id) assert.equal((await mesh.call(id, { type: 'held' })).ok, true);
    }
  }
  for (const { recorder } of fleet.nodes) {
    assert.deepEqual(
      recorder.changes.filter(({ connected }) => !connected),
      [],
    );
  }
});

test('a member that is killed is reported as lost by its broken connection, not by a missing ping', async (t) => {
  // The child can't tidy up after itself.
  const scratch = await mkdtemp(join(tmpdir(), 'fsched-killed-'));
  t.after(() => rm(scratch, { recursive: true, force: true }));
  // Nobody looks over the connections: only the broken one can tell.
  await using fleet = await Fleet.of(1, { clock: { ...systemClock, every: () => () => {} } });
  const a = fleet.at(0);
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv.filter((flag) => !flag.startsWith('--test')),
      fileURLToPath(new URL('./lone-node.ts', import.meta.url)),
      JSON.stringify(fleet.known()),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_TEST_CONTEXT: '', TMPDIR: scratch } },
  );
  try {
    const known = await firstLine(child);
    a.mesh.setCluster('test', [JSON.parse(known)]);
    const { id } = JSON.parse(known) as { id: string };
    await found(a, id);
    assert.equal((await a.mesh.call(id, { type: 'held' })).ok, true);
    child.kill('SIGKILL');
    await lost(a, id);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a process whose mesh has stopped ends by itself', async () => {
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv.filter((flag) => !flag.startsWith('--test')),
      fileURLToPath(new URL('./lone-node.ts', import.meta.url)),
      'stop',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_TEST_CONTEXT: '' } },
  );
  const exited = once(child, 'exit');
  await firstLine(child);
  const [code] = await exited;
  assert.equal(code, 0);
});

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output');
  const lines = createInterface(child.stdout);
  const [line] = (await once(lines, 'line')) as [string];
  return line;
}

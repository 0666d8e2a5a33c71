/** Disks that fill up under real daemons: none of them ends, and what filled the disk is not handed on. */
import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { NO_SMALL_DISK, SmallDisk } from '../support/small-disk.ts';
import { NODE } from './programs.ts';

const MIB = 1024 ** 2;
/** Its working directories would lie elsewhere where programs run as another user without a sandbox. */
const flagsOf = (disk: SmallDisk): readonly string[] => [
  ...['--disk-reserve', '32MiB', '--work-dir', join(disk.path, 'work')],
];

/** Writes as much as there is room for, and stays. */
const FILLER = `
const fs = require('node:fs');
const step = Buffer.alloc(1024 * 1024, 7);
const file = fs.openSync('filler', 'w');
for (;;) {
  try {
    fs.writeSync(file, step);
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  }
}
`;

/** To the last byte. */
async function fill(path: string): Promise<void> {
  for (let size = MIB; size > 0; size >>= 1) {
    for (;;) {
      try {
        await writeFile(path, Buffer.alloc(size, 1), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}

async function uploadStatus(
  node: DaemonProcess,
  bytes: number,
): Promise<{ status: number; json: { code: string } }> {
  const form = new FormData();
  form.set('file', new Blob([Buffer.alloc(bytes, 1)]), 'file.bin');
  return node.request('/controller/task/new', { method: 'POST', body: form });
}

const health = async (node: DaemonProcess) => (await node.get('/healthz')).json;

test('a run that fills the disk of a voter fails, once, and takes neither it nor the next one', {
  skip: NO_SMALL_DISK,
}, async () => {
  using first = new SmallDisk(160 * MIB);
  using second = new SmallDisk(160 * MIB);
  using third = new SmallDisk(160 * MIB);
  await using cluster = await TestCluster.create();
  await cluster.add(flagsOf(first), first.path);
  await cluster.join(flagsOf(second), second.path);
  await cluster.join(flagsOf(third), third.path);
  await cluster.untilVoters(3);
  const master = await cluster.master();
  const term = (await health(master)).term;
  const task = await master.upload('filler.cjs', FILLER, { command: NODE });
  const run = await master.post('/submit?wait=60', { function_name: 'filler', parameters: {} });
  assert.equal(run.json.state, 'failed', JSON.stringify(run.json));
  assert.match(run.json.error, /disk of its node was nearly full|more than \d+ MiB on disk/);
  assert.equal(run.json.attempts, 1, 'it is not handed on');
  assert.ok(cluster.nodes.every((node) => node.isUp));
  assert.equal((await health(await cluster.master())).term, term, 'the cluster kept its master');
  // All of them take runs again, by themselves.
  await eventually('room everywhere', async () =>
    (await Promise.all(cluster.nodes.map(health))).every(({ status }) => status === 'ok'),
  );
  const again = await master.post('/controller/task/benchmark', {
    command: 'true',
    task_id: task,
    input_size: 1,
  });
  assert.equal(again.status, 200, JSON.stringify(again.json));
});

test('a node whose disk others have filled says so, takes nothing, starts, and recovers by itself', {
  skip: NO_SMALL_DISK,
}, async () => {
  using disk = new SmallDisk(128 * MIB);
  const hog = join(disk.path, 'hog');
  await using cluster = await TestCluster.create();
  const node = await cluster.add(flagsOf(disk), disk.path);
  const task = await node.upload('hello.sh', 'echo hello\n');
  const request = { command: 'sh', task_id: task, input_size: 1 };
  assert.equal((await node.post('/controller/task/benchmark', request)).status, 200);
  await eventually('the ballast', async () => existsSync(join(node.dataDir, 'ballast')));

  await fill(hog);
  await eventually('word of the full disk', async () => (await health(node)).status === 'disk_full');
  const { message, disk: told } = await health(node);
  assert.match(message, /^the disk of .* is full: \d+ MiB are free, and this node keeps 32 MiB for its log/);
  assert.equal(told.reserve_bytes, 32 * MIB);
  const refused = await uploadStatus(node, 1000);
  assert.deepEqual([refused.status, refused.json.code], [507, 'DISK_FULL']);
  const { json } = await eventually('the reason in the view of the cluster', async () => {
    const reply = await node.get('/cluster');
    return reply.status === 200 && reply.json.health.state === 'degraded' && reply;
  });
  assert.match(json.health.reasons.join(), /node-1 .*the disk of .* is full/);
  // The log goes on, in what was kept for it; the run waits for room.
  const large = { function_name: 'hello', parameters: { input_size: 1, text: 'x'.repeat(200_000) } };
  const waiting = await node.post('/submit', large);
  assert.equal(waiting.status, 202, JSON.stringify(waiting.json));
  const runId = waiting.json.run_id;

  // What is left is filled, too, and nothing can be written any more: it waits, and lives.
  await fill(hog);
  void node.post('/submit', large).catch(() => undefined);
  await eventually('the log to wait', async () =>
    /the log waits.*ballast given up.*the log waits/s.test(node.logs),
  );
  assert.ok(node.isUp);
  assert.equal((await health(node)).status, 'disk_full');
  assert.equal(await node.kill('SIGTERM'), 0, 'and it can be stopped');

  // A full disk is no reason not to start, if there is anything to give up.
  await rm(hog);
  await node.start();
  await eventually('the ballast again', async () => existsSync(join(node.dataDir, 'ballast')));
  await node.kill('SIGTERM');
  await fill(hog);
  await node.start();
  assert.equal((await health(node)).status, 'disk_full');
  assert.equal((await node.get(`/runs/${runId}`)).status, 200);

  await rm(hog);
  await eventually('room', async () => (await health(node)).status === 'ok');
  const done = await eventually('the run that waited', async () => {
    const reply = await node.get(`/runs/${runId}`);
    return (
      reply.status === 200 &&
      reply.json.state !== 'queued' &&
      reply.json.state !== 'assigned' &&
      reply.json.state !== 'running' &&
      reply
    );
  });
  assert.equal(done.json.state, 'succeeded', JSON.stringify(done.json));
  assert.equal((await uploadStatus(node, 1000)).status, 200);
});

test('a node that crashed with a run that had filled its disk starts, though there is nothing left to give up', {
  skip: NO_SMALL_DISK,
}, async () => {
  using disk = new SmallDisk(128 * MIB);
  await using cluster = await TestCluster.create();
  const node = await cluster.add(flagsOf(disk), disk.path);
  await eventually('the ballast', async () => existsSync(join(node.dataDir, 'ballast')));
  await node.kill('SIGKILL');
  await rm(join(node.dataDir, 'ballast'));
  const left = join(node.dataDir, 'work', 'gone-1');
  await mkdir(left, { recursive: true });
  await fill(join(left, 'hog'));
  await node.start();
  assert.equal((await health(node)).status, 'ok');
  assert.ok(!existsSync(left));
});

test('a node whose own messages find no room starts, serves and stops', async () => {
  await using cluster = await TestCluster.create();
  const node = await cluster.add();
  await node.kill('SIGTERM');
  const full = openSync('/dev/full', 'w');
  try {
    await node.start([], full);
    assert.equal((await health(node)).status, 'ok');
    assert.equal(await node.kill('SIGTERM'), 0);
  } finally {
    closeSync(full);
  }
});

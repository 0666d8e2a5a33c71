/** Control groups: what is written, on plain files; and the kernel's own, with whatever controllers it has here. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../../node/adapters.ts';
import { CgroupTree, findOwnCgroup } from '../../../../node/worker/isolation/cgroup-tree.ts';
import { RunCgroup } from '../../../../node/worker/isolation/run-cgroup.ts';
import { UNLIMITED } from '../../../../node/worker/isolation/types.ts';

const tag = () => `test${randomBytes(4).toString('hex')}`;

async function withFiles(task: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-cgroup-'));
  try {
    await task(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe('the limits of a control group', () => {
  test('are written for the controllers that there are', () =>
    withFiles(async (directory) => {
      await writeFile(join(directory, 'cgroup.controllers'), 'cpu io memory pids\n');
      await writeFile(join(directory, 'cgroup.subtree_control'), 'memory\n');
      const opened = await CgroupTree.open({ tag: 'x', own: directory }, systemClock);
      assert.ok(opened.ok);
      assert.equal(opened.value.limits, true);
      const read = (name: string) => readFileSync(join(directory, name), 'utf8');
      assert.equal(read('cgroup.subtree_control'), '+pids +cpu +io');
      assert.equal(read('fsched-x.runs/cgroup.subtree_control'), '+memory +pids +cpu +io');
      const group = opened.value.create('r-1', { ...UNLIMITED, memoryBytes: 1e9, processes: 7, cpus: 1.5 });
      const written = readdirSync(join(directory, 'fsched-x.runs/r-1')).map((name) => [
        name,
        read(`fsched-x.runs/r-1/${name}`),
      ]);
      assert.deepEqual(Object.fromEntries(written), {
        'cpu.max': '150000 100000',
        'memory.max': '1000000000',
        'memory.oom.group': '1',
        'memory.swap.max': '0',
        'pids.max': '7',
      });
      assert.equal(group.wasOutOfMemory(), false);
      const events = join(directory, 'fsched-x.runs/r-1/memory.events');
      await writeFile(events, 'low 0\noom 1\noom_kill 0\n');
      assert.equal(group.wasOutOfMemory(), false);
      await writeFile(events, 'low 0\noom 3\noom_kill 2\n');
      assert.equal(group.wasOutOfMemory(), true);
      assert.equal(group.readWrittenBytes(), 0);
      // A file system on a device of the device mapper: both tell of the same bytes.
      const devices = '254:0 rbytes=1 wbytes=4096 rios=1 wios=1\n253:1 rbytes=1 wbytes=8192 rios=1 wios=1\n';
      await writeFile(join(directory, 'fsched-x.runs/r-1/io.stat'), devices);
      assert.equal(group.readWrittenBytes(), 8192);
    }));

  test('need the controllers of memory and processes', () =>
    withFiles(async (directory) => {
      await writeFile(join(directory, 'cgroup.controllers'), 'cpu pids\n');
      const opened = await CgroupTree.open({ tag: 'x', own: directory }, systemClock);
      assert.deepEqual(
        opened.ok || opened.error,
        `the control group of the node (${directory}) has no memory controller`,
      );
    }));
});

const OWN = findOwnCgroup();
const REFUSAL = refusal();

/** False when this process may make control groups. */
function refusal(): string | false {
  if (OWN === null) return 'there is no cgroup v2';
  try {
    accessSync(OWN, constants.W_OK);
    const probe = join(OWN, `fsched-${tag()}`);
    mkdirSync(probe);
    rmdirSync(probe);
    return false;
  } catch {
    return `${OWN} is not delegated to this user`;
  }
}

describe('a control group of the kernel', { skip: REFUSAL }, () => {
  test('kills all that is in it, whatever it did to escape, and is gone', async () => {
    const directory = join(OWN ?? '', `fsched-${tag()}`);
    mkdirSync(directory);
    const group = new RunCgroup(directory, systemClock);
    const source =
      'read go; for i in 1 2 3 4 5; do setsid env -i sh -c "cd /; sleep 1000" & done; echo up; wait';
    const child = spawn('sh', ['-c', source], { stdio: ['pipe', 'pipe', 'ignore'] });
    group.enter(child.pid as number);
    child.stdin.end('go\n');
    await once(child.stdout, 'data');
    assert.ok(readFileSync(join(directory, 'cgroup.procs'), 'utf8').trim().split('\n').length >= 6);
    const exited = once(child, 'exit');
    assert.equal(await group.kill(), true);
    assert.deepEqual(await exited, [null, 'SIGKILL']);
    assert.equal(await group.remove(), true);
    assert.equal(await group.kill(), true, 'of what is gone nothing is left');
  });

  test('of an earlier start is emptied and removed at the next', async () => {
    const name = tag();
    const open = () => CgroupTree.open({ tag: name, required: [], own: OWN ?? '' }, systemClock);
    const first = await open();
    assert.ok(first.ok, first.ok ? '' : first.error);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    first.value.create('left-1', UNLIMITED).enter(child.pid as number);
    const exited = once(child, 'exit');
    const second = await open();
    assert.ok(second.ok);
    assert.deepEqual(await exited, [null, 'SIGKILL']);
    assert.deepEqual(
      readdirSync(join(OWN ?? '', `fsched-${name}.runs`), { withFileTypes: true }).filter((entry) =>
        entry.isDirectory(),
      ),
      [],
    );
    await second.value.close();
    assert.equal(readdirSync(OWN ?? '').includes(`fsched-${name}.runs`), false);
  });
});

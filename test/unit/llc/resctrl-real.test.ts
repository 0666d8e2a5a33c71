/** The adapter of the real directory, on ordinary directories: its lock is that of everybody else's `flock`. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DirectoryFlock, FlockError } from '../../../node/flock.ts';
import { ResctrlLock } from '../../../node/llc/resctrl/lock.ts';
import { ResctrlError } from '../../../node/llc/resctrl/port.ts';
import { RealResctrl } from '../../../node/llc/resctrl/real.ts';
import { refusal } from '../../resctrl/bench.ts';
import { eventually } from '../../support/eventually.ts';
import { settled } from '../../support/fake-clock.ts';

class Directory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async create(): Promise<Directory> {
    return new Directory(await mkdtemp(join(tmpdir(), 'fsched-resctrl-')));
  }

  /** Whether another program could lock it now, in the given mode. */
  isFree(mode: 'x' | 's' = 'x'): boolean {
    return spawnSync('flock', [`-${mode}`, '-n', this.path, 'true']).status === 0;
  }

  /** Another program, which holds it until it is ended. */
  async holdElsewhere(mode: 'x' | 's' = 'x'): Promise<ChildProcess> {
    const holder = spawn('flock', [`-${mode}`, this.path, 'sh', '-c', 'echo held; read -r _'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await once(holder.stdout, 'data');
    return holder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true });
  }
}

describe('the lock of the real directory', () => {
  test('keeps other programs out while it is held, and not afterwards', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: directory.path });
    await fs.locked(async () => assert.ok(!directory.isFree('s')));
    assert.ok(directory.isFree());
  });

  test('is given back when the work fails, whose error is told', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: directory.path });
    await assert.rejects(
      fs.locked(() => Promise.reject(new Error('of the work'))),
      /of the work/,
    );
    assert.ok(directory.isFree());
    assert.equal(await fs.locked(async () => 7), 7);
  });

  test('waits for another program', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: directory.path });
    const holder = await directory.holdElsewhere();
    let held = false;
    const work = fs.locked(async () => {
      held = true;
    });
    // Asking by another way takes longer than an unlocked directory would have taken to be locked.
    for (let round = 0; round < 5; round++) assert.ok(!directory.isFree('s'));
    assert.equal(held, false);
    holder.stdin?.end();
    await work;
    assert.ok(held);
  });

  test('never lets two adapters change at the same time', async () => {
    await using directory = await Directory.create();
    await using left = new RealResctrl({ root: directory.path });
    await using right = new RealResctrl({ root: directory.path });
    const file = join(directory.path, 'count');
    await writeFile(file, '0');
    // Read, wait for the disk, write: without a lock nearly every second step is lost.
    const step = async () => writeFile(file, String(Number(await readFile(file, 'utf8')) + 1));
    const work = [left, right].flatMap((fs) => Array.from({ length: 20 }, () => fs.locked(step)));
    await Promise.all(work);
    assert.equal(await readFile(file, 'utf8'), '40');
  });

  test('gives up on a program that never lets go, and can be had later', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: directory.path, lockTimeoutMs: 50 });
    const holder = await directory.holdElsewhere();
    await assert.rejects(
      fs.locked(async () => {}),
      (error) =>
        error instanceof FlockError && error.code === 'FLOCK_TIMEOUT' && /lslocks/.test(error.message),
    );
    holder.stdin?.end();
    await once(holder, 'exit');
    await fs.locked(async () => {});
  });

  test('stops waiting when it is disposed of', async () => {
    await using directory = await Directory.create();
    const holder = await directory.holdElsewhere();
    const fs = new RealResctrl({ root: directory.path });
    const work = assert.rejects(
      fs.locked(async () => {}),
      (error) => error instanceof FlockError && error.code === 'FLOCK_FAILED',
    );
    // Two hold it elsewhere, flock and its program; two are to wait, the helper and its flock.
    await eventually('two who wait', async () => (await holdersOf(directory.path)).length >= 4);
    await fs[Symbol.asyncDispose]();
    await work;
    holder.stdin?.end();
    await once(holder, 'exit');
    assert.deepEqual(await holdersOf(directory.path), []);
  });

  test('says which programs are missing', async () => {
    await using directory = await Directory.create();
    const bin = join(directory.path, 'bin');
    await mkdir(bin);
    for (const shell of [null, '#!/bin/sh\nexec /bin/sh "$@"\n']) {
      if (shell !== null) await writeFile(join(bin, 'sh'), shell);
      if (shell !== null) await chmod(join(bin, 'sh'), 0o755);
      await using flock = new DirectoryFlock({ directory: directory.path, searchPath: bin });
      await assert.rejects(
        flock.acquire(),
        (error) =>
          error instanceof FlockError &&
          error.code === 'FLOCK_MISSING' &&
          /install util-linux/.test(error.message),
      );
    }
  });

  test('fails for a directory that is not there, and works once it is', async () => {
    await using directory = await Directory.create();
    const root = join(directory.path, 'later');
    await using fs = new RealResctrl({ root });
    await assert.rejects(
      fs.locked(async () => {}),
      (error) => error instanceof FlockError && error.code === 'FLOCK_FAILED',
    );
    await mkdir(root);
    await fs.locked(async () => {});
  });

  test('is free when its holder is killed, and tells when its helper was', async () => {
    await using directory = await Directory.create();
    const flock = new URL('../../../node/flock.ts', import.meta.url).href;
    const program = `
      const { DirectoryFlock } = await import(${JSON.stringify(flock)});
      await new DirectoryFlock({ directory: ${JSON.stringify(directory.path)} }).acquire();
      console.log('held');
      setInterval(() => {}, 1000);`;
    const daemon = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(daemon.stdout, 'data');
    assert.ok(!directory.isFree());
    daemon.kill('SIGKILL');
    // Waits until it is free; the limit only bounds a failure.
    assert.equal(spawnSync('flock', ['-x', '-w', '20', directory.path, 'true']).status, 0);

    await using fs = new RealResctrl({ root: directory.path });
    const loss = fs.locked(async () => {
      const holders = await holdersOf(directory.path);
      assert.ok(holders.length > 0);
      for (const pid of holders) process.kill(pid, 'SIGKILL');
      spawnSync('flock', ['-x', directory.path, 'true']);
    });
    await assert.rejects(loss, (error) => error instanceof FlockError && error.code === 'FLOCK_LOST');
    await fs.locked(async () => assert.ok(!directory.isFree()));
  });

  test('leaves no helper and no open directory behind', async () => {
    await using directory = await Directory.create();
    const fs = new RealResctrl({ root: directory.path });
    let helpers: number[] = [];
    await fs.locked(async () => {
      helpers = await holdersOf(directory.path);
    });
    assert.equal(helpers.length, 1);
    // While nobody holds the lock the directory can be unmounted.
    assert.deepEqual(await holdersOf(directory.path), []);
    await fs[Symbol.asyncDispose]();
    await fs[Symbol.asyncDispose]();
    for (const pid of helpers) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });
});

/** Processes that have it open. */
async function holdersOf(path: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const holds = async (pid: string) => {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch((): string[] => []);
    const targets = descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => ''));
    return (await Promise.all(targets)).includes(path);
  };
  const found = await Promise.all(pids.map(holds));
  return pids.filter((_, index) => found[index]).map(Number);
}

describe('the turns of the lock', () => {
  test('are taken in the order of asking, each alone, also after one that failed', async () => {
    const lock = new ResctrlLock();
    const log: string[] = [];
    const turn = (name: string) =>
      lock.hold(async () => {
        log.push(`${name} begins`);
        for (let step = 0; step < 3; step++) await settled();
        log.push(`${name} ends`);
        if (name === 'b') throw new Error('of b');
        return name;
      });
    const [a, b, c] = await Promise.allSettled([turn('a'), turn('b'), turn('c')]);
    assert.deepEqual(log, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    assert.deepEqual([a?.status, b?.status, c?.status], ['fulfilled', 'rejected', 'fulfilled']);
  });

  test('include the lock between programs; who is refused it may do something else in its turn', async () => {
    const log: string[] = [];
    let refusals = 2;
    const lock = new ResctrlLock({
      acquire: async () => {
        await settled();
        if (refusals-- > 0) throw new Error('refused');
        log.push('acquired');
      },
      release: async () => void log.push('released'),
    });
    const note = (name: string) => async () => void log.push(name);
    const first = lock.hold(note('first'));
    const second = lock.hold(note('second'), (cause) => void log.push(`second: ${(cause as Error).message}`));
    const third = lock.hold(note('third'));
    await assert.rejects(first, /refused/);
    await Promise.all([second, third]);
    assert.deepEqual(log, ['second: refused', 'acquired', 'third', 'released']);
  });
});

describe('files of the real directory', () => {
  test('writes with one call, neither creating nor truncating', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: directory.path });
    await writeFile(join(directory.path, 'schemata'), 'L3:0=ffff\n');
    await fs.write('schemata', 'L3:0=f');
    assert.equal(await fs.read('schemata'), 'L3:0=ffff\n');
    assert.equal((await refusal(fs.write('nothing', '')))?.code, 'ENOENT');
    await fs.mkdir('group');
    assert.deepEqual(await fs.list(''), ['group', 'schemata']);
    assert.equal((await refusal(fs.mkdir('group')))?.code, 'EEXIST');
    await fs.rmdir('group');
    assert.equal((await refusal(fs.rmdir('group')))?.code, 'ENOENT');
  });

  test('makes the call also for no bytes', async () => {
    // The full device refuses every write(2), also an empty one.
    await using fs = new RealResctrl({ root: '/dev' });
    assert.equal((await refusal(fs.write('full', '')))?.code, 'ENOSPC');
  });

  test('tells the status of the last command with an error, unless it is ok', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: directory.path });
    await mkdir(join(directory.path, 'info'));
    const status = join(directory.path, 'info/last_cmd_status');
    await writeFile(status, 'Out of CLOSIDs\nOut of RMIDs\n');
    const error = await refusal(fs.rmdir('group'));
    assert.ok(error instanceof ResctrlError && error.cause instanceof Error);
    assert.equal(error.lastCmdStatus, 'Out of CLOSIDs\nOut of RMIDs');
    await writeFile(status, 'ok\n');
    assert.equal((await refusal(fs.rmdir('group')))?.lastCmdStatus, null);
  });

  test('never leaves its root', async () => {
    await using directory = await Directory.create();
    await using fs = new RealResctrl({ root: join(directory.path, 'root') });
    await writeFile(join(directory.path, 'outside'), 'secret');
    assert.equal((await refusal(fs.read('../outside')))?.code, 'EINVAL');
    assert.equal((await refusal(fs.write('a/../../outside', 'x')))?.code, 'EINVAL');
  });
});

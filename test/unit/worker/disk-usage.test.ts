/** What runs keep on disk, counted whatever they do to hide it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { canMeasure, measureShared, measureTree, measureUnlinked } from '../../../node/worker/disk-usage.ts';
import { MAPPER, NO_MAPPINGS } from '../../support/mapped-file.ts';

const MIB = 1024 ** 2;
const BOUNDS = { files: null, ms: 60_000 };

async function rooted<T>(work: (root: string) => Promise<T>): Promise<T> {
  const root = await mkdtemp(join(tmpdir(), 'fsched-usage-'));
  try {
    return await work(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const near = (bytes: number | undefined, expected: number): void =>
  assert.ok(bytes !== undefined && Math.abs(bytes - expected) < MIB / 2, `${bytes}, not about ${expected}`);

describe('what a run keeps on disk', {
  skip: !(await canMeasure()) && 'there is no find of findutils',
}, () => {
  test('is counted in blocks, once for each file, and in names, without what links point to', () =>
    rooted(async (root) => {
      for (const run of ['a-1', 'b-1', 'c-1']) mkdirSync(join(root, run));
      await writeFile(join(root, 'large'), Buffer.alloc(8 * MIB));
      await writeFile(join(root, 'a-1/file'), Buffer.alloc(2 * MIB));
      linkSync(join(root, 'a-1/file'), join(root, 'a-1/again'));
      await writeFile(join(root, 'b-1/sparse'), '');
      truncateSync(join(root, 'b-1/sparse'), 1024 ** 4);
      symlinkSync(join(root, 'large'), join(root, 'b-1/link'));
      symlinkSync('/', join(root, 'b-1/root'));
      for (let i = 0; i < 100; i += 1) await writeFile(join(root, `c-1/with a\nnewline ${i}`), '');
      const [a, b, c] = await Promise.all(['a-1', 'b-1', 'c-1'].map((run) => measureTree(root, run, BOUNDS)));
      near(a?.bytes, 2 * MIB);
      near(b?.bytes, 0);
      assert.deepEqual([a?.files, b?.files, c?.files], [3, 4, 101]);
    }));

  test('is counted far below the longest path', () =>
    rooted(async (root) => {
      const script = `
        const fs = require('node:fs');
        process.chdir(process.argv[1]);
        fs.mkdirSync('r-1');
        process.chdir('r-1');
        for (let i = 0; i < 60; i++) { fs.mkdirSync('d'.repeat(200)); process.chdir('d'.repeat(200)); }
        fs.writeFileSync('file', Buffer.alloc(${3 * MIB}));`;
      assert.equal(spawnSync(process.execPath, ['-e', script, root]).status, 0);
      const usage = await measureTree(root, 'r-1', BOUNDS);
      near(usage?.bytes, 3 * MIB);
      assert.equal(usage?.files, 62);
      spawnSync('rm', ['-rf', join(root, 'r-1')]);
    }));

  test('is counted in directories that the program has closed', () =>
    rooted(async (root) => {
      mkdirSync(join(root, 'r-1/closed/inside'), { recursive: true });
      await writeFile(join(root, 'r-1/closed/inside/file'), Buffer.alloc(2 * MIB));
      chmodSync(join(root, 'r-1/closed/inside'), 0);
      chmodSync(join(root, 'r-1/closed'), 0);
      near((await measureTree(root, 'r-1', BOUNDS))?.bytes, 2 * MIB);
      chmodSync(join(root, 'r-1/closed'), 0o700);
    }));

  test('is counted while it is held open without a name, once', () =>
    rooted(async (root) => {
      const path = join(root, 'file');
      await writeFile(path, Buffer.alloc(2 * MIB));
      const [one, other] = [openSync(path, 'r'), openSync(path, 'r')];
      const device = statSync(root).dev;
      const measured = async (on: number) =>
        (await measureUnlinked([process.pid], new Set([on]), BOUNDS))?.bytes;
      near(await measured(device), 0);
      await unlink(path);
      near(await measured(device), 2 * MIB);
      near(await measured(device + 1), 0);
      closeSync(one);
      closeSync(other);
    }));

  test('is counted while it hangs in a mapping alone', { skip: NO_MAPPINGS }, () =>
    rooted(async (root) => {
      const child = spawn('python3', ['-c', MAPPER, join(root, 'file'), '3']);
      try {
        await once(child.stdout, 'data');
        assert.equal(existsSync(join(root, 'file')), false);
        const devices = new Set([statSync(root).dev]);
        near((await measureUnlinked([child.pid ?? 0], devices, BOUNDS))?.bytes, 3 * MIB);
      } finally {
        child.kill('SIGKILL');
      }
    }),
  );

  test('is counted up to a bound, whatever names there are of however few files', () =>
    rooted(async (root) => {
      mkdirSync(join(root, 'r-1'));
      await writeFile(join(root, 'r-1/file'), '');
      for (let i = 0; i < 2_000; i += 1) linkSync(join(root, 'r-1/file'), join(root, `r-1/${i}`));
      const bounded = await measureTree(root, 'r-1', { files: 100, ms: 60_000 });
      assert.deepEqual([bounded?.isWhole, bounded?.files], [false, 101]);
      const whole = await measureTree(root, 'r-1', BOUNDS);
      assert.deepEqual([whole?.isWhole, whole?.files], [true, 2_002]);
      const people = [{ uid: process.geteuid?.() ?? 0, name: 'r-1' }];
      const shared = await measureShared(root, people, { files: 100, ms: 60_000 });
      assert.deepEqual([shared?.get('r-1')?.isWhole, shared?.get('r-1')?.files], [false, 101]);
    }));

  test('is known to be no whole count when time has cut it', async () => {
    // All that is known of all processes: nothing takes longer.
    const bounds = { files: null, ms: 5 };
    assert.equal((await measureTree('/', 'proc', bounds))?.isWhole, false);
    const people = [{ uid: process.geteuid?.() ?? 0, name: 'r-1' }];
    assert.equal((await measureShared('/proc', people, bounds))?.get('r-1')?.isWhole, false);
  });
});

/** What runs keep on disk, counted whatever they do to hide it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
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
import { canMeasure, measureTrees, measureUnlinked } from '../../../node/worker/disk-usage.ts';

const MIB = 1024 ** 2;

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
  test('is counted in blocks, once for each file, without what links point to', () =>
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
      const usages = await measureTrees(root, ['a-1', 'b-1', 'c-1']);
      near(usages?.get('a-1')?.bytes, 2 * MIB);
      near(usages?.get('b-1')?.bytes, 0);
      assert.deepEqual(
        ['a-1', 'b-1', 'c-1'].map((run) => usages?.get(run)?.files),
        [2, 4, 101],
      );
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
      const usage = (await measureTrees(root, ['r-1']))?.get('r-1');
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
      near((await measureTrees(root, ['r-1']))?.get('r-1')?.bytes, 2 * MIB);
      chmodSync(join(root, 'r-1/closed'), 0o700);
    }));

  test('is counted while it is held open without a name, once', () =>
    rooted(async (root) => {
      const path = join(root, 'file');
      await writeFile(path, Buffer.alloc(2 * MIB));
      const [one, other] = [openSync(path, 'r'), openSync(path, 'r')];
      const me = { pid: process.pid, name: 'r-1' };
      const device = statSync(root).dev;
      near((await measureUnlinked([me], device))?.get('r-1')?.bytes, 0);
      await unlink(path);
      near((await measureUnlinked([me], device))?.get('r-1')?.bytes, 2 * MIB);
      near((await measureUnlinked([me], device + 1))?.get('r-1')?.bytes, 0);
      closeSync(one);
      closeSync(other);
    }));
});

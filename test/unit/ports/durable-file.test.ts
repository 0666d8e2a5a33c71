import assert from 'node:assert/strict';
import { mkdtempDisposable, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeDurably } from '../../../node/durable-file.ts';

test('a file is written for its owner only, in directories that are made for it, and replaces the one before', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'fsched-durable-'));
  const path = join(directory.path, 'deep', 'file');
  await writeDurably(path, 'one');
  await writeDurably(path, new Uint8Array([0x32]));
  assert.equal(await readFile(path, 'utf8'), '2');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(directory.path, 'deep'))).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(join(directory.path, 'deep')), ['file']);
});

test('a draft that a crash left, open to others, is not written on', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'fsched-durable-'));
  const path = join(directory.path, 'file');
  await writeFile(`${path}.new`, 'half', { mode: 0o644 });
  await writeDurably(path, 'whole');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(await readFile(path, 'utf8'), 'whole');
});

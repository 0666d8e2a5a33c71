import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadKey } from '../../../node/mesh/key-file.ts';
import { MeshError } from '../../../node/mesh/types.ts';

async function inDirectory(use: (directory: string) => Promise<void>) {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-key-'));
  try {
    await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('the key is made once, for its owner only, and kept', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'deep', 'key');
    const made = await loadKey(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(directory, 'deep')), ['key']);
    assert.ok((await loadKey(path)).equals(made));
  }));

for (const [what, bytes] of [
  ['an empty file', ''],
  ['text', 'this is no key'],
  ['half a key', Buffer.from([8, 1, 18, 64, 1, 2, 3])],
] as const) {
  test(`${what} in place of a key is an error that says what to do, and is left alone`, () =>
    inDirectory(async (directory) => {
      const path = join(directory, 'key');
      await writeFile(path, bytes);
      const error = await loadKey(path).then(
        () => null,
        (caught: unknown) => caught,
      );
      assert.ok(error instanceof MeshError);
      assert.equal(error.code, 'KEY_FILE');
      assert.match(error.message, /damaged.*backup.*delete/s);
      assert.equal((await stat(path)).size, bytes.length);
    }));
}

test('a key file that is a directory is an error that names it', () =>
  inDirectory(async (directory) => {
    await assert.rejects(loadKey(directory), (error: MeshError) => error.message.includes(directory));
  }));

/** Pipes where there is no room to make any. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PipePool } from '../../../node/worker/pipe-pool.ts';
import { NO_SMALL_DISK, SmallDisk } from '../../support/small-disk.ts';

test('a pool that can make no pipe starts all the same, and makes some as soon as it can', {
  skip: NO_SMALL_DISK,
}, async () => {
  using disk = new SmallDisk(1024 ** 2, 50);
  disk.fill();
  const pool = new PipePool(join(disk.path, '.pipes'));
  await pool.start();
  assert.equal(await pool.take(), null);
  for (const name of await readdir(disk.path)) if (name.startsWith('filler')) await rm(join(disk.path, name));
  const pipe = await pool.take();
  assert.ok(pipe !== null);
  closeSync(pipe.writeFd);
  pipe.reader.destroy();
  await pool.stop();
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import type { Clock } from '../../../node/ports.ts';
import { HashPool } from '../../../node/store/hash-pool.ts';

describe('HashPool', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fsched-hash-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test('hashes many files at once and keeps them apart', async () => {
    await using pool = new HashPool({}, { clock: systemClock });
    const hashed = Array.from({ length: 6 }, async (_, index) => {
      const content = Buffer.alloc(index * 700_000, index);
      const path = join(directory, `${index}`);
      await writeFile(path, content);
      assert.deepEqual(await pool.hashFile(path), {
        sha256: createHash('sha256').update(content).digest('hex'),
        size: content.length,
      });
    });
    await Promise.all(hashed);
  });

  test('says why a file could not be hashed, and goes on with the next', async () => {
    await using pool = new HashPool({}, { clock: systemClock });
    await assert.rejects(pool.hashFile(join(directory, 'missing')), { code: 'FAILED', message: /ENOENT/ });
    await writeFile(join(directory, 'there'), '');
    assert.equal((await pool.hashFile(join(directory, 'there'))).size, 0);
  });

  test('stops its thread when idle and starts another when needed', async () => {
    let idle: (() => void) | null = null;
    const clock: Clock = {
      ...systemClock,
      after: (_delayMs, task) => {
        idle = task;
        return () => {
          idle = null;
        };
      },
    };
    await using pool = new HashPool({}, { clock });
    await writeFile(join(directory, 'idle'), 'x');
    assert.equal(pool.active, false);
    const first = await pool.hashFile(join(directory, 'idle'));
    assert.equal(pool.active, true);
    (idle as (() => void) | null)?.();
    assert.equal(pool.active, false);
    assert.deepEqual(await pool.hashFile(join(directory, 'idle')), first);
  });

  test('rejects what is under way when it is stopped, and anything after', async () => {
    const pool = new HashPool({}, { clock: systemClock });
    const pending = assert.rejects(pool.hashFile(join(directory, 'idle')), { code: 'STOPPED' });
    await pool.stop();
    await pending;
    await assert.rejects(pool.hashFile(join(directory, 'idle')), { code: 'STOPPED' });
    await pool.stop();
  });
});

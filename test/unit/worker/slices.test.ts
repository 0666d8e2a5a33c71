/** What programs leave and say of themselves is dealt with in slices, however much it is: counted, not timed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { killAttempt } from '../../../node/worker/reaper.ts';
import { removeTree } from '../../../node/worker/remove-tree.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const MIB = 1024 ** 2;

/** Also for who imported the function by its name. */
function watch(context: TestContext, what: object, name: string, see: (result: unknown) => void): void {
  const object = what as Record<string, (...args: unknown[]) => unknown>;
  const original = object[name] as (...args: unknown[]) => unknown;
  object[name] = (...args) => {
    const result = original.apply(object, args);
    see(result);
    return result;
  };
  syncBuiltinESMExports();
  context.after(() => {
    object[name] = original;
    syncBuiltinESMExports();
  });
}

/** The most that was counted in one turn of the event loop while `work` went on. */
async function mostInOneTurn(work: () => Promise<unknown>, count: { value: number }): Promise<number> {
  let most = 0;
  const turn = () => {
    most = Math.max(most, count.value);
    count.value = 0;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  await work();
  clearImmediate(next);
  return Math.max(most, count.value);
}

/** Sleepers with an environment of 1.8 MiB each: no variable may have more than 128 KiB. */
async function crowd(size: number): Promise<ChildProcess[]> {
  const env: Record<string, string> = { PATH: process.env.PATH ?? '' };
  for (let i = 0; i < 15; i += 1) env[`LARGE_${i}`] = 'x'.repeat(120 * 1024);
  const children = Array.from({ length: size }, () => spawn('sleep', ['1000'], { env, stdio: 'ignore' }));
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('spawn', resolve))));
  return children;
}

describe('the event loop is held for a slice at a time', () => {
  test('by a look at processes with large environments, of which only the beginning is read', async (context) => {
    const size = 40;
    const children = await crowd(size);
    try {
      const read = { value: 0 };
      let total = 0;
      watch(context, fs, 'readSync', (bytes) => {
        read.value += bytes as number;
        total += bytes as number;
      });
      const marks = { runId: 'none', attempt: 1, directory: '/none/none-1', root: null, user: null };
      const look = () => killAttempt(marks, { clock: systemClock, logger: silentLogger });
      const most = await mostInOneTurn(look, read);
      assert.ok(total > (size * MIB) / 8, `it did look at them: ${total}`);
      assert.ok(most <= 1.5 * MIB, `${most} bytes in one turn`);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });

  test('by the removal of many files, which another process does', async (context) => {
    const root = await promises.mkdtemp(join(tmpdir(), 'fsched-slices-'));
    const tree = join(root, 'r-1');
    await promises.mkdir(join(tree, 'inside'), { recursive: true });
    for (let i = 0; i < 3_000; i += 1) fs.writeFileSync(join(tree, i % 2 === 0 ? '.' : 'inside', `${i}`), '');
    const calls = { value: 0 };
    for (const name of ['unlink', 'rmdir', 'rm', 'lstat', 'open']) {
      watch(context, promises, name, () => {
        calls.value += 1;
      });
    }
    await removeTree(tree);
    assert.deepEqual(fs.readdirSync(root), []);
    assert.ok(calls.value > 0 && calls.value < 100, `${calls.value} calls for 3,000 files`);
    await promises.rm(root, { recursive: true });
  });
});

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Leftovers } from '../../../node/worker/leftovers.ts';
import { removeTree } from '../../../node/worker/remove-tree.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

test('what can not be removed is moved aside, told, and tried again, less and less often', async () => {
  const root = await mkdtemp(join(tmpdir(), 'fsched-left-'));
  try {
    const clock = new FakeClock();
    let isStubborn = true;
    let tries = 0;
    const remove = async (path: string): Promise<void> => {
      tries += 1;
      if (isStubborn) throw new Error('it withstands');
      await removeTree(path);
    };
    const leftovers = new Leftovers({ clock, logger: silentLogger, remove });
    const directory = join(root, 'r-1');
    await mkdir(directory);
    await writeFile(`${directory}.pid`, '');
    await leftovers.remove(directory);
    assert.deepEqual(await readdir(root), ['.left-r-1'], 'another attempt may take the name');
    assert.match(
      leftovers.trouble ?? '',
      /^a directory of a run that is over can't be removed, such as .*\.left-r-1/,
    );
    await clock.until(() => tries === 2, 11_000);
    await clock.pass(15_000);
    assert.equal(tries, 2);
    await clock.until(() => tries === 3, 6_000);
    isStubborn = false;
    await clock.until(() => leftovers.trouble === null, 60_000);
    assert.deepEqual(await readdir(root), []);
    assert.deepEqual(clock.pending(), []);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

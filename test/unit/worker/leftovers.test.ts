import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { Leftovers } from '../../../node/worker/leftovers.ts';
import { removeTree } from '../../../node/worker/remove-tree.ts';
import { findLeftovers } from '../../../node/worker/work-directory.ts';
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
    assert.deepEqual(await readdir(root), ['.left-r-1-0'], 'another attempt may take the name');
    assert.equal((await stat(join(root, '.left-r-1-0'))).mode & 0o777, 0o700, 'nor may its user');
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
    // The next start finds what this one could not remove.
    isStubborn = true;
    await mkdir(directory);
    await leftovers.remove(directory);
    leftovers.stop();
    const found = await findLeftovers(root);
    assert.deepEqual(
      found.map((marks) => basename(marks.directory)),
      ['.left-r-1-0'],
    );
    isStubborn = false;
    for (const marks of found) await leftovers.remove(marks.directory);
    assert.deepEqual(await readdir(root), []);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

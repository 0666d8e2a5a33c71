import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { Leftovers } from '../../../node/worker/leftovers.ts';
import { removeTree } from '../../../node/worker/remove-tree.ts';
import { findLeftovers } from '../../../node/worker/work-directory.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { NO_SMALL_DISK, SmallDisk } from '../../support/small-disk.ts';

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

describe('what can not even be moved, on a disk without a file to be had', { skip: NO_SMALL_DISK }, () => {
  const setUp = async (disk: SmallDisk) => {
    const clock = new FakeClock();
    const state = { isStubborn: true };
    const remove = async (path: string): Promise<void> => {
      if (state.isStubborn) throw new Error('it withstands');
      await removeTree(path);
    };
    const leftovers = new Leftovers({ clock, logger: silentLogger, remove });
    const directory = join(disk.path, 'r-1');
    await mkdir(directory);
    disk.fill();
    await leftovers.remove(directory);
    assert.match(leftovers.trouble ?? '', /such as .*\/r-1:/);
    await clock.pass(30_000);
    assert.ok((await readdir(disk.path)).includes('r-1'));
    for (const name of await readdir(disk.path))
      if (name.startsWith('filler')) await rm(join(disk.path, name));
    return { clock, state, leftovers, directory };
  };

  test('is moved and removed once there is room', async () => {
    using disk = new SmallDisk(1024 ** 2, 20);
    const { clock, state, leftovers } = await setUp(disk);
    state.isStubborn = false;
    await clock.until(() => leftovers.trouble === null, 120_000);
    assert.deepEqual(await readdir(disk.path), []);
  });

  test('is left alone when another attempt has its name by then', async () => {
    using disk = new SmallDisk(1024 ** 2, 20);
    const { clock, leftovers, directory } = await setUp(disk);
    await removeTree(directory);
    await mkdir(directory);
    await clock.until(() => leftovers.trouble === null, 120_000);
    assert.deepEqual(await readdir(disk.path), ['r-1']);
  });
});

/** What runs leave where all may write, among others' things and for others to trip over. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SharedPlaces } from '../../../../node/worker/isolation/shared-places.ts';
import { NEEDS_ROOT, rangeOf } from './machine.ts';

const as = (uid: number, script: string, cwd: string) =>
  execFileSync(
    'setpriv',
    ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--', 'sh', '-c', script],
    { cwd },
  );

const idsOf = (uid: number) => ({ uid, gid: uid });

async function withPlace(
  task: (own: {
    readonly place: string;
    readonly shared: SharedPlaces;
    readonly x: number;
    readonly y: number;
  }) => Promise<void>,
): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), 'fsched-shared-'));
  const { first: x, last: y } = rangeOf(2);
  try {
    await chmod(place, 0o1777);
    await task({ place, shared: new SharedPlaces({ places: [place] }), x, y });
  } finally {
    await rm(place, { recursive: true });
  }
}

describe('what many runs left where all may write', () => {
  test('is looked for once for all who wait, and removed for nobody who left nothing', async () => {
    const looks: (readonly number[])[] = [];
    const began = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const shared = new SharedPlaces({
      places: ['/'],
      findOwners: async (_, uids) => {
        looks.push(uids);
        began.resolve();
        await free.promise;
        return new Set();
      },
    });
    const uids = Array.from({ length: 50 }, (_, index) => 1_900_000_000 + index);
    const first = shared.remove([idsOf(1)]);
    await began.promise;
    // What these left may have escaped the look that is under way.
    const others = uids.map((uid) => shared.remove([idsOf(uid)]));
    free.resolve();
    for (const left of await Promise.all([first, ...others])) assert.equal(left.size, 0);
    assert.deepEqual(looks, [[1], uids]);
  });

  test('stays theirs when nobody can tell', async () => {
    const shared = new SharedPlaces({ places: ['/'], findOwners: async () => null });
    await assert.rejects(shared.remove([idsOf(1_900_000_000)]), /can't be told/);
  });

  describe('goes, and nothing else', { skip: NEEDS_ROOT }, () => {
    test('with closed directories, deep ones and odd names', () =>
      withPlace(async ({ place, shared, x, y }) => {
        as(
          x,
          `mkdir -p d/e/f && echo > d/e/f/g && chmod 0 d/e/f d/e d && echo > "$(printf -- '-rf\\n*')"`,
          place,
        );
        as(y, 'mkdir mine && echo > mine/file && ln -s nowhere link && echo > file', place);
        assert.deepEqual([...(await shared.remove([idsOf(x)]))], []);
        assert.deepEqual((await readdir(place, { recursive: true })).sort(), [
          'file',
          'link',
          'mine',
          'mine/file',
        ]);
      }));

    test('with what another was let put into it, and can no longer remove', () =>
      withPlace(async ({ place, shared, x, y }) => {
        as(x, 'mkdir d && chmod 777 d', place);
        as(y, 'echo > d/file', place);
        as(x, 'chmod 755 d', place);
        assert.deepEqual([...(await shared.remove([idsOf(y)]))], [y], 'it may not');
        assert.deepEqual([...(await shared.remove([idsOf(x)]))], []);
        assert.deepEqual([...(await shared.remove([idsOf(y)]))], []);
        assert.deepEqual(await readdir(place), []);
      }));

    test('by turns, where each has closed its directory to the other', () =>
      withPlace(async ({ place, shared, x, y }) => {
        as(x, 'mkdir d && chmod 777 d', place);
        as(y, 'mkdir d/e && chmod 777 d/e && echo > d/e/mine', place);
        as(x, 'echo > d/e/theirs && mkdir d/e/f', place);
        as(y, 'chmod 700 d/e', place);
        as(x, 'chmod 700 d', place);
        let left = new Set([x, y]);
        for (let tries = 0; left.size > 0 && tries < 5; tries += 1) {
          left = new Set(await shared.remove([...left].map(idsOf)));
        }
        assert.deepEqual([...left], []);
        assert.deepEqual(await readdir(place), []);
      }));

    test('also where only root can still see it', () =>
      withPlace(async ({ place, shared, x, y }) => {
        as(y, 'mkdir d && chmod 777 d', place);
        as(x, 'echo > d/file', place);
        as(y, 'chmod 700 d', place);
        assert.deepEqual(
          [...(await shared.remove([idsOf(x)]))],
          [x],
          'whoever had the user next would own it',
        );
        await shared.remove([idsOf(y)]);
        assert.deepEqual([...(await shared.remove([idsOf(x)]))], []);
      }));
  });
});

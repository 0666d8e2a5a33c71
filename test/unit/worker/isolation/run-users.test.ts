/** Who has which user, whatever order sweeps end in; nothing here runs as another user. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../../node/adapters.ts';
import { OwnUsers } from '../../../../node/worker/isolation/run-users.ts';
import type { UserSweep } from '../../../../node/worker/isolation/user-sweep.ts';
import { eventually } from '../../../support/eventually.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

/** Its sweeps end when the test says so, and tell what it says. */
class Sweeps {
  readonly seen: { readonly uid: number; readonly end: (clean: boolean) => void }[] = [];
  readonly sweep: UserSweep = async (orphans) => {
    const { promise, resolve: end } = Promise.withResolvers<boolean>();
    for (const { uid } of orphans) this.seen.push({ uid, end });
    return (await promise) ? orphans : [];
  };
}

async function withUsers(
  count: number,
  task: (own: {
    readonly users: OwnUsers;
    readonly sweeps: Sweeps;
    readonly claims: () => Promise<string[]>;
    /** Timers wait for this. */
    readonly ring: () => void;
  }) => Promise<void>,
): Promise<void> {
  const claimsDirectory = await mkdtemp(join(tmpdir(), 'fsched-users-'));
  const timers = new Set<() => void>();
  const after = (_: number, tick: () => void) => {
    timers.add(tick);
    return () => timers.delete(tick);
  };
  const ring = () => {
    const due = [...timers];
    timers.clear();
    for (const tick of due) tick();
  };
  const sweeps = new Sweeps();
  const users = new OwnUsers(
    {
      range: { first: 1, last: count },
      claimsDirectory,
      searchPath: process.env.PATH ?? '',
      reachesShared: true,
    },
    { clock: { ...systemClock, after }, logger: silentLogger, sweep: sweeps.sweep },
  );
  try {
    await task({ users, sweeps, claims: () => readdir(claimsDirectory), ring });
  } finally {
    users.stop();
    await rm(claimsDirectory, { recursive: true });
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the users of runs', () => {
  test('are swept once for each release, however often and by whomever they are wanted back', () =>
    withUsers(1, async ({ users, sweeps, claims }) => {
      const first = await users.lend('/work/a-1');
      assert.ok(first !== null);
      const releases = [first.release(), first.release()];
      // All are in use: what is under way is waited for, and not begun again.
      const wanted = [users.lend('/work/b-1'), users.lend('/work/c-1')];
      for (let turn = 0; turn < 20; turn += 1) await settled();
      assert.deepEqual(
        sweeps.seen.map(({ uid }) => uid),
        [1],
      );
      sweeps.seen[0]?.end(true);
      await Promise.all([...releases, first.release()]);
      const [second, third] = await Promise.all(wanted);
      assert.equal([second, third].filter((lent) => lent !== null).length, 1);
      assert.deepEqual(await claims(), ['1'], 'the next run keeps its claim');
      await first.release();
      assert.equal(sweeps.seen.length, 1, 'nobody sweeps what the next run has');
      const end = (second ?? third)?.release();
      sweeps.seen[1]?.end(true);
      await end;
      assert.deepEqual(await claims(), []);
    }));

  test('that could not be swept are told of, and tried again until they can', () =>
    withUsers(2, async ({ users, sweeps, claims, ring }) => {
      const lent = await users.lend('/work/a-1');
      const release = lent?.release();
      sweeps.seen[0]?.end(false);
      await release;
      assert.match(
        users.trouble ?? '',
        /^the user of a run that is over can't be given to others, such as 1,/,
      );
      assert.deepEqual(await claims(), ['1']);
      ring();
      await eventually('a second try', () => sweeps.seen.length === 2);
      sweeps.seen[1]?.end(false);
      await eventually('a third', () => {
        ring();
        return sweeps.seen.length === 3;
      });
      sweeps.seen[2]?.end(true);
      await eventually('it is given back', () => users.trouble === null);
      assert.deepEqual(await claims(), []);
    }));

  test('that could not be swept are tried again a few at a time when all are wanted', () =>
    withUsers(9, async ({ users, sweeps }) => {
      const lent = await Promise.all(Array.from({ length: 9 }, (_, i) => users.lend(`/work/r${i}-1`)));
      const releases = lent.map((each) => each?.release());
      for (const { end } of sweeps.seen) end(false);
      await Promise.all(releases);
      const wanted = users.lend('/work/next-1');
      await eventually('tries', () => sweeps.seen.length > 9);
      for (let turn = 0; turn < 20; turn += 1) await settled();
      assert.equal(sweeps.seen.length, 9 + 4);
      sweeps.seen[10]?.end(true);
      const next = await wanted;
      assert.equal(next?.user.uid, sweeps.seen[10]?.uid, 'the others are not waited for');
      await eventually('all others', () => {
        for (const { end } of sweeps.seen) end(true);
        return users.trouble === null;
      });
    }));
});

/** Claims of daemons that live and die, as links in a directory of the test. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readBootId, readProcess } from '../../../../node/procfs.ts';
import { type Orphan, UidClaims } from '../../../../node/worker/isolation/uid-claims.ts';

async function withClaims(
  task: (claims: {
    readonly mine: UidClaims;
    readonly others: UidClaims;
    readonly directory: string;
  }) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-claims-'));
  const open = () => new UidClaims({ directory, searchPath: process.env.PATH ?? '' });
  try {
    await task({ mine: open(), others: open(), directory });
  } finally {
    await rm(directory, { recursive: true });
  }
}

const claim = (uid: number) => ({ uid, directory: `/work/r${uid}-1` });

async function swept(claims: UidClaims, clean = true): Promise<Orphan[]> {
  const seen: Orphan[] = [];
  const left = await claims.recover(async (orphans) => {
    seen.push(...orphans);
    return clean ? orphans : [];
  });
  assert.deepEqual(left, clean ? [] : seen);
  return seen;
}

describe('claims on user ids', () => {
  test('are had once, by whichever daemon comes first, until they are withdrawn', () =>
    withClaims(async ({ mine, others }) => {
      assert.equal(mine.claim(claim(7)), true);
      assert.equal(others.claim(claim(7)), false);
      assert.equal(mine.claim(claim(7)), false);
      assert.equal(others.claim(claim(8)), true);
      mine.withdraw(7);
      assert.equal(others.claim(claim(7)), true);
      assert.deepEqual(await swept(mine), [], 'those of a daemon that lives are its own affair');
    }));

  test('of a daemon that died are withdrawn once nothing is left of what it ran', () =>
    withClaims(async ({ mine, directory }) => {
      const daemon = spawn('sleep', ['1000']);
      const pid = daemon.pid as number;
      const startTicks = readProcess(pid)?.startTicks ?? 0;
      const write = (uid: number, ticks: number, boot: string) =>
        symlink(`${pid}:${ticks}:${boot}:/work/a b-1`, join(directory, String(uid)));
      await write(7, startTicks, readBootId());
      assert.deepEqual(await swept(mine), [], 'it still lives');
      daemon.kill('SIGKILL');
      await once(daemon, 'exit');
      assert.deepEqual(await swept(mine, false), [{ uid: 7, directory: '/work/a b-1' }]);
      assert.equal(mine.claim(claim(7)), false, 'something is left');
      assert.deepEqual(await swept(mine), [{ uid: 7, directory: '/work/a b-1' }]);
      assert.equal(mine.claim(claim(7)), true);
    }));

  test('of before a restart of the machine, or of a process that has another now, are of the dead', () =>
    withClaims(async ({ mine, directory }) => {
      const { pid, startTicks = 0 } = { ...readProcess(process.pid), pid: process.pid };
      await symlink(`${pid}:${startTicks}:another-boot:/work/a-1`, join(directory, '7'));
      await symlink(`${pid}:${startTicks - 1}:${readBootId()}:/work/b-1`, join(directory, '8'));
      const uids = (await swept(mine)).map(({ uid }) => uid);
      assert.deepEqual(uids.sort(), [7, 8]);
      assert.deepEqual(await readdir(directory), []);
    }));

  test('of the dead are swept by one daemon at a time', () =>
    withClaims(async ({ mine, others, directory }) => {
      await symlink(`1:1:another-boot:/work/a-1`, join(directory, '7'));
      let atOnce = 0;
      const seen: number[] = [];
      const sweep = async (orphans: readonly Orphan[]) => {
        seen.push(...orphans.map(({ uid }) => uid));
        assert.equal(++atOnce, 1);
        await new Promise((resolve) => setImmediate(resolve));
        atOnce--;
        return orphans;
      };
      await Promise.all([mine.recover(sweep), others.recover(sweep)]);
      assert.deepEqual(seen, [7], 'the second finds it done');
    }));
});

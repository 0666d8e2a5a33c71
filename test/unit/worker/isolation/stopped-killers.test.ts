/** Programs that stop whoever comes to kill them, or to remove what they left, and are somebody else before long. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../../node/adapters.ts';
import { listProcesses, readOwner } from '../../../../node/procfs.ts';
import { PLAIN } from '../../../../node/worker/isolation/types.ts';
import { CLAIMS_DIRECTORY } from '../../../../node/worker/isolation/uid-claims.ts';
import { ProcessLauncher } from '../../../../node/worker/process-launcher.ts';
import { killAttempt, killUser } from '../../../../node/worker/reaper.ts';
import { HANG_MS } from '../../../support/eventually.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { NEEDS_ROOT, rangeOf } from './machine.ts';

/** Each is over before anybody has looked at it; none goes on after a minute. */
const STOPPERS = `import os, resource, signal, time
resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))
end = time.monotonic() + 60
os.setsid()
print('up', flush=True)
os.close(1)
while time.monotonic() < end:
    for _ in range(300):
        try: os.kill(-1, signal.SIGSTOP)
        except OSError: pass
    try:
        if os.fork() > 0: os._exit(0)
    except OSError: pass
`;

const livingOf = async (uid: number): Promise<number[]> =>
  ((await listProcesses(0))?.entries ?? []).flatMap(({ alive, pid }) =>
    alive && readOwner(pid) === uid ? [pid] : [],
  );

async function among(task: (user: { readonly uid: number; readonly gid: number }) => Promise<void>) {
  const { first: uid } = rangeOf(1);
  const become = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--'];
  const child = spawn('setpriv', [...become, '/usr/bin/python3', '-c', STOPPERS], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    await task({ uid, gid: uid });
  } finally {
    for (let left = await livingOf(uid); left.length > 0; left = await livingOf(uid)) {
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It was over before.
        }
      }
    }
  }
}

const ports = { clock: systemClock, logger: silentLogger };

describe('programs that stop their killer', { skip: NEEDS_ROOT, timeout: HANG_MS }, () => {
  test('are killed when their user is swept', () =>
    among(async (user) => {
      assert.equal(await killUser(user, ports), true);
      assert.deepEqual(await livingOf(user.uid), []);
    }));

  test('are killed at the end of their run', () =>
    among(async (user) => {
      const marks = { runId: 'stopper', attempt: 1, directory: '/none/stopper-1', root: null, user };
      assert.equal(await killAttempt(marks, ports), true);
      assert.deepEqual(await livingOf(user.uid), []);
    }));

  test('spare a neighbour, and root', async () => {
    const root = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const { first: other } = rangeOf(1);
    const neighbour = spawn('setpriv', ['--reuid', String(other), '--clear-groups', '--', 'sleep', '1000'], {
      stdio: 'ignore',
    });
    try {
      await among(async (user) => {
        assert.equal(await killUser(user, ports), true);
        for (const { exitCode, signalCode } of [root, neighbour])
          assert.deepEqual([exitCode, signalCode], [null, null]);
      });
    } finally {
      for (const child of [root, neighbour]) child.kill('SIGKILL');
    }
  });

  test('are dead before a start removes the directory of their user', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fsched-stopped-'));
    await chmod(root, 0o711);
    try {
      await among(async ({ uid }) => {
        const directory = join(root, 'work', 'stopper-1');
        await mkdir(join(directory, 'inside'), { recursive: true });
        for (const path of [join(directory, 'inside'), directory]) await chown(path, uid, uid);
        await mkdir(CLAIMS_DIRECTORY, { recursive: true, mode: 0o700 });
        await symlink(`1:1:another-boot:${directory}`, join(CLAIMS_DIRECTORY, String(uid)));
        const isolation = { ...PLAIN, runAs: { first: uid, last: uid } };
        const options = { directory: join(root, 'work'), searchPath: process.env.PATH ?? '', isolation };
        const told: string[] = [];
        const logger = { ...silentLogger, info: (_: object, message: string) => void told.push(message) };
        const launcher = new ProcessLauncher(options, { ...ports, logger });
        await launcher.start();
        assert.equal(launcher.trouble, null);
        assert.deepEqual(told, ['programs are isolated'], 'the directory went with its user');
        assert.deepEqual((await readdir(join(root, 'work'))).sort(), ['.pipes']);
        assert.deepEqual(await livingOf(uid), []);
        await launcher.stop();
      });
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

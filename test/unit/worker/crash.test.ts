import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../node/adapters.ts';
import { readBootId, readProcess } from '../../../node/procfs.ts';
import { ProcessLauncher } from '../../../node/worker/process-launcher.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { isAlive, livingOf } from './launch-bench.ts';

const HOST = fileURLToPath(new URL('./crash-host.ts', import.meta.url));

async function restart(directory: string): Promise<void> {
  const launcher = new ProcessLauncher(
    { directory: join(directory, 'work'), searchPath: process.env.PATH ?? '' },
    { clock: systemClock, logger: silentLogger },
  );
  await launcher.start();
  await launcher.stop();
}

describe('the start after a crash', () => {
  test('kills what the programs of the last start left and removes their directories', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-crash-'));
    const runId = `crash${randomBytes(6).toString('hex')}`;
    const host = spawn(process.execPath, [HOST, directory, runId], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = await once(host.stdout, 'data');
      const survivor = Number(line);
      assert.ok(isAlive(survivor));
      host.kill('SIGKILL');
      await once(host, 'exit');
      assert.ok(isAlive(survivor), 'it has a session of its own, and outlives the daemon');
      assert.deepEqual((await readdir(join(directory, 'work'))).sort(), [
        '.pipes',
        `${runId}-1`,
        `${runId}-1.pid`,
      ]);
      await restart(directory);
      assert.equal(isAlive(survivor), false);
      assert.deepEqual(await livingOf(runId), []);
      assert.deepEqual(await readdir(join(directory, 'work')), []);
    } finally {
      host.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('does not kill a process that has since got the number of a lost program', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-crash-'));
    const innocent = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    // A group without its leader: whose it was can't be told any more.
    const leader = spawn('sh', ['-c', 'sleep 1000 >/dev/null & echo $!'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const orphan = Number(await text(leader.stdout));
    try {
      const pid = innocent.pid as number;
      const startTicks = readProcess(pid)?.startTicks ?? 0;
      await mkdir(join(directory, 'work/lost-1'), { recursive: true });
      const record = (name: string, root: object) =>
        writeFile(join(directory, 'work', name), JSON.stringify(root));
      await record('lost-1.pid', { pid, startTicks: startTicks - 1, bootId: readBootId() });
      await record('boot-1.pid', { pid, startTicks, bootId: 'another' });
      await record('group-1.pid', { pid: leader.pid, startTicks: startTicks - 1, bootId: readBootId() });
      await writeFile(join(directory, 'work/torn-2.pid'), '{"pid":');
      await restart(directory);
      assert.ok(isAlive(pid));
      assert.ok(isAlive(orphan));
      assert.deepEqual(await readdir(join(directory, 'work')), []);
    } finally {
      innocent.kill('SIGKILL');
      process.kill(orphan, 'SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });
});

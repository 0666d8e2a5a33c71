/** Nothing of a program runs before it is where it belongs, and no shell is left waiting at the latch. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../../node/adapters.ts';
import { readProcess } from '../../../../node/procfs.ts';
import type { LaunchOrder } from '../../../../node/worker/launcher.ts';
import { ProcessLauncher } from '../../../../node/worker/process-launcher.ts';
import { silentLogger } from '../../../support/silent-logger.ts';
import { isAlive } from '../launch-bench.ts';

const HOST = fileURLToPath(new URL('./latch-host.ts', import.meta.url));

async function withLauncher(
  task: (
    launch: (
      source: string,
      enter: LaunchOrder['enter'],
      options?: { readonly kill?: AbortSignal; readonly command?: string },
    ) => ReturnType<ProcessLauncher['launch']>,
    directory: string,
  ) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-latch-'));
  const launcher = new ProcessLauncher(
    { directory: join(directory, 'work'), searchPath: process.env.PATH ?? '' },
    { clock: systemClock, logger: silentLogger },
  );
  await launcher.start();
  try {
    await task(async (source, enter, options = {}) => {
      const { kill = new AbortController().signal, command = 'sh' } = options;
      const filePath = join(directory, 'source');
      await writeFile(filePath, source);
      const user = await launcher.lendUser('latched', 1);
      assert.ok(user.ok);
      return launcher.launch(
        {
          runId: 'latched',
          attempt: 1,
          user: user.value,
          taskId: 't',
          fileName: 'f',
          filePath,
          command,
          inputSize: 1,
          parameters: null,
          secrets: [],
          cpus: [],
          outputLimitBytes: 1000,
          enter: enter ?? null,
        },
        kill,
      );
    }, directory);
    assert.deepEqual(await readdir(join(directory, 'work')), ['.pipes']);
  } finally {
    await launcher.stop();
    await rm(directory, { recursive: true });
  }
}

describe('the latch', () => {
  test('lets the program start only once its process has entered, with the same pid, environment and descriptors', () =>
    withLauncher(async (launch, directory) => {
      const mark = join(directory, 'mark');
      let entered = 0;
      let enteredAtNs = 0n;
      const source = `const fs = require('node:fs'); fs.writeFileSync('${mark}', '');
        const target = (fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; } };
        console.log(JSON.stringify({ pid: process.pid, names: Object.keys(process.env).filter((name) => name !== '_').sort(), third: target(3) }));`;
      const launched = await launch(
        source,
        async (pid) => {
          entered = pid;
          await new Promise<void>((resolve) => systemClock.after(50, resolve));
          assert.equal(existsSync(mark), false);
          assert.equal(isAlive(pid), true);
          enteredAtNs = process.hrtime.bigint();
        },
        { command: process.execPath },
      );
      assert.ok(launched.ok);
      const end = await launched.value.ended;
      const sinceNs = Number(process.hrtime.bigint() - enteredAtNs);
      const seen = JSON.parse(Buffer.from(end.stdout.bytes).toString());
      const names = [
        'FSCHED_ATTEMPT',
        'FSCHED_INPUT_SIZE',
        'FSCHED_RUN_ID',
        'FSCHED_TASK_ID',
        'HOME',
        'LANG',
      ];
      assert.deepEqual(seen.names, [...names, 'PATH', 'TMPDIR']);
      assert.equal(seen.pid, entered);
      assert.doesNotMatch(seen.third, /^socket/, 'the descriptor of the latch is closed');
      assert.equal(launched.value.pid, entered);
      assert.ok(
        end.executionTimeNs <= sinceNs,
        `the wait at the latch is not the program's: ${end.executionTimeNs}`,
      );
    }));

  test('starts nothing and leaves no shell when the process can not enter', () =>
    withLauncher(async (launch, directory) => {
      const mark = join(directory, 'mark');
      let entered = 0;
      const launched = await launch(`: > ${mark}`, async (pid) => {
        entered = pid;
        throw new Error('no CLOSID is free');
      });
      assert.ok(!launched.ok);
      assert.equal(launched.error.code, 'NOT_STARTED');
      assert.match(launched.error.message, /no CLOSID is free/);
      assert.equal(readProcess(entered)?.alive ?? false, false);
      assert.equal(existsSync(mark), false);
    }));

  test('gives way to an order to kill that comes meanwhile', () =>
    withLauncher(async (launch, directory) => {
      const mark = join(directory, 'mark');
      const kill = new AbortController();
      const launched = await launch(`: > ${mark}`, async () => kill.abort(), { kill: kill.signal });
      assert.ok(!launched.ok);
      assert.equal(launched.error.code, 'KILLED');
      assert.equal(existsSync(mark), false);
    }));

  test('is left by its shell when the daemon dies', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-latch-'));
    const host = spawn(process.execPath, [HOST, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = await once(host.stdout, 'data');
      const pid = Number(line);
      assert.ok(isAlive(pid));
      host.kill('SIGKILL');
      await once(host, 'exit');
      for (let look = 0; isAlive(pid); look++) {
        assert.ok(look < 1000, 'the shell still waits');
        await new Promise<void>((resolve) => systemClock.after(2, resolve));
      }
      assert.equal(existsSync(join(directory, 'mark')), false);
    } finally {
      host.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });
});

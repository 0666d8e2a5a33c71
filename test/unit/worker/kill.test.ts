import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { ProcessLauncher } from '../../../node/worker/process-launcher.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { isAlive, LaunchBench, livingOf } from './launch-bench.ts';

/** Starts a process that lives on in a session of its own, ignoring SIGTERM, and waits until it does. */
const daemonise = (options: { env?: string; cwd?: string } = {}) => `
  const { spawn } = require('node:child_process');
  const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); process.send('up'); process.disconnect(); setInterval(() => {}, 1000)"],
    { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: ${options.env ?? 'process.env'}, cwd: '${options.cwd ?? '/'}' });
  const up = new Promise((resolve) => child.once('message', resolve));
  child.unref();
`;

describe('the end of a run', () => {
  test('takes with it what changed its session and still holds the output', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run(
      `${daemonise()} up.then(() => { console.log(child.pid); process.exit(0); });`,
    );
    assert.equal(report.state, 'succeeded', report.stderr);
    assert.equal(isAlive(Number(report.stdout)), false);
    assert.ok((report.result?.executionTimeNs ?? 0) < 20e9);
  });

  test('takes with it what cleared its environment but stands in the working directory', async () => {
    await using bench = await LaunchBench.create();
    const source = `${daemonise({ env: '{}', cwd: '.' })} up.then(() => { console.log(child.pid); process.exit(0); });`;
    const report = await bench.run(source);
    assert.equal(report.state, 'succeeded', report.stderr);
    assert.equal(isAlive(Number(report.stdout)), false);
  });

  test('takes with it background jobs, at once', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run('sleep 1000 & (sleep 1000 & sleep 1000 &); echo $!', { command: 'sh' });
    assert.equal(report.state, 'succeeded');
    assert.equal(isAlive(Number(report.stdout)), false);
  });

  test('comes at the time limit for a program that ignores SIGTERM', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run("trap '' TERM INT HUP; while :; do sleep 1; done", {
      command: 'sh',
      timeLimitMs: 100,
    });
    assert.equal(report.state, 'timed_out');
    assert.match(report.error ?? '', /time limit of 0\.1 s/);
    assert.deepEqual([report.result?.exitStatus, report.result?.signal], [137, 'SIGKILL']);
  });

  test('takes with it a child without any mark, seen below its parent when the run is cancelled', async () => {
    await using bench = await LaunchBench.create();
    const runId = await bench.start(
      `${daemonise({ env: '{}' })} up.then(() => console.log(child.pid)); setInterval(() => {}, 1000);`,
    );
    const pid = Number(await bench.written(runId, '\n'));
    assert.ok(isAlive(pid));
    assert.equal(bench.worker.cancel(runId, 1), true);
    assert.equal((await bench.reported(runId)).state, 'cancelled');
    assert.equal(isAlive(pid), false);
    await bench.assertNothingLeft(runId);
  });

  test('takes with it a program that goes on forking', async () => {
    await using bench = await LaunchBench.create();
    // Each of a handful replaces itself by a child in a new session again and again.
    const chain = 'setsid sh -c \'sh "$0" next\' "$0" &';
    const source = `if [ "$1" = next ]; then sleep 0.01; setsid sh "$0" next & exit; fi
      for i in 1 2 3 4; do setsid sh "$0" next & done; ${chain} echo up; sleep 1000`;
    const runId = await bench.start(source, { command: 'sh' });
    await bench.written(runId, 'up');
    bench.worker.cancel(runId, 1);
    assert.equal((await bench.reported(runId)).state, 'cancelled');
    await bench.assertNothingLeft(runId);
    // Were one left, it would have forked by now.
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await livingOf(runId), []);
  });

  test('leaves other runs alone', async () => {
    await using bench = await LaunchBench.create();
    const other = await bench.start('echo up; sleep 1000', { command: 'sh' });
    await bench.written(other, 'up');
    await bench.run('sleep 1000 & exit 0', { command: 'sh' });
    assert.notDeepEqual(await livingOf(other), []);
    bench.worker.cancel(other, 1);
    await bench.reported(other);
  });

  test('removes a directory with odd permissions, links and names', async () => {
    await using bench = await LaunchBench.create();
    const report = await bench.run(
      'mkdir -p a/b/c && ln -s / root && touch "a/b/-rf x" && mkfifo pipe && chmod 000 a/b/c a/b a && chmod 500 .',
      { command: 'sh' },
    );
    assert.equal(report.state, 'succeeded', report.stderr);
  });

  test('comes for an older attempt when a newer one is dispatched', async () => {
    await using bench = await LaunchBench.create();
    const runId = await bench.start('echo up; sleep 1000', { command: 'sh', runId: `older${process.pid}` });
    await bench.written(runId, 'up');
    const pids = await livingOf(runId);
    await bench.start('echo "$FSCHED_ATTEMPT"', { command: 'sh', runId, attempt: 2 });
    for (const pid of pids) assert.equal(isAlive(pid), false);
    const report = await bench.reported(runId);
    assert.deepEqual([report.attempt, report.state], [2, 'succeeded']);
    await bench.assertNothingLeft(runId);
  });

  test('comes for all runs when the worker stops, and nothing is reported', async () => {
    const bench = await LaunchBench.create();
    const runId = await bench.start(`${daemonise()} up.then(() => console.log('up'));`);
    await bench.written(runId, 'up');
    await bench[Symbol.asyncDispose]();
    assert.deepEqual(await livingOf(runId), []);
    let reported = false;
    void bench.reported(runId).then(() => {
      reported = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reported, false);
  });
});

test('the end of a run comes, and with it its directory goes, also where no process could be started to kill it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-kill-'));
  const launcher = new ProcessLauncher(
    { directory: join(directory, 'work'), searchPath: process.env.PATH ?? '' },
    { clock: systemClock, logger: silentLogger },
  );
  try {
    await launcher.start();
    const filePath = join(directory, 'source');
    await writeFile(filePath, 'sleep 1000');
    // A user whom nobody is, and whose number `spawn` refuses with an exception, as it does when memory runs out.
    const user = { user: { name: 'none', uid: 3_000_000_000, gid: 0 }, own: true, release: async () => {} };
    const kill = new AbortController();
    const order = {
      ...{ runId: 'unkillable', attempt: 1, taskId: 'task', fileName: 'file', filePath, command: 'sh' },
      ...{ inputSize: 1, parameters: null, secrets: [], user, cpus: [0], outputLimitBytes: 100 },
    };
    const launched = await launcher.launch(order, kill.signal);
    assert.ok(launched.ok);
    kill.abort();
    const end = await launched.value.ended;
    assert.deepEqual([end.signal, end.killed], ['SIGKILL', true]);
    assert.deepEqual(
      (await readdir(join(directory, 'work'))).filter((name) => name.startsWith('unkillable')),
      [],
    );
  } finally {
    await launcher.stop();
    await rm(directory, { recursive: true });
  }
});

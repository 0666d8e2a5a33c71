import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import type { Topology } from '../../../node/llc/types.ts';
import type { Delivery } from '../../../node/worker/outbox.ts';
import { Worker } from '../../../node/worker/worker.ts';
import type { AttemptReport, Dispatch, StartedNotice } from '../../../protocols/schema/attempt.ts';
import { fail } from '../../../protocols/schema/outcome.ts';
import { dispatchOf } from '../../builders/nouns.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { FAKE_ISOLATION, FakeLauncher } from './fakes.ts';

const TOPOLOGY: Topology = {
  domains: [
    { id: 0, cpus: [0, 1], ways: 8, wayBytes: 1024 },
    { id: 16, cpus: [2], ways: 4, wayBytes: 1024 },
  ],
  source: 'sysfs',
  cpuModel: 'Example',
};

class Bench implements AsyncDisposable {
  readonly clock = new FakeClock(0);
  readonly launcher = new FakeLauncher();
  readonly reports: AttemptReport[] = [];
  readonly started: StartedNotice[] = [];
  changes = 0;
  answer: (report: AttemptReport) => Promise<Delivery> = async () => 'accepted';
  shortage: string | null = null;
  taskFile: (dispatch: Dispatch) => Promise<string | null> = async () => '/shelf/file';
  readonly partitions = new UnenforcedPartitions({ reason: 'no CAT here' }, { topology: TOPOLOGY });
  readonly worker = new Worker(
    { outputLimitBytes: 100 },
    {
      clock: this.clock,
      random: { next: () => 0.5, id: () => 'id' },
      logger: silentLogger,
      topology: TOPOLOGY,
      partitions: this.partitions,
      launcher: this.launcher,
      instrument: () => fail('It measures nothing.'),
      shortage: () => this.shortage,
      taskFile: (dispatch) => this.taskFile(dispatch),
      onChange: () => {
        this.changes++;
      },
      deliverStarted: (notice) => this.started.push(notice),
      deliverReport: (report) => {
        this.reports.push(report);
        return this.answer(report);
      },
    },
  );

  static async create(): Promise<Bench> {
    const bench = new Bench();
    await bench.worker.start();
    return bench;
  }

  /** `ok`, or the code of the refusal. */
  async dispatch(changes: Partial<Dispatch> = {}): Promise<string> {
    const outcome = await this.worker.dispatch(dispatchOf(changes));
    await settled();
    return outcome.ok ? 'ok' : outcome.error.code;
  }

  free(): number[] {
    return this.worker.capacity().domains.map((domain) => domain.freeWays);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.worker.stop();
  }
}

describe('Worker', () => {
  test('carries out a dispatch and reports the result', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ domain: 16, parameters: '{"a":1}' }), 'ok');
    assert.deepEqual(bench.started, [{ runId: 'r1', attempt: 1, term: 1, atMs: 1_700_000_000_000 }]);
    assert.deepEqual(bench.launcher.last.order, {
      ...dispatchOf({ domain: 16, parameters: '{"a":1}' }),
      user: bench.launcher.last.order.user,
      filePath: '/shelf/file',
      cpus: [2],
      outputLimitBytes: 100,
      enter: null,
      instrument: null,
    });
    bench.clock.advance(20);
    bench.launcher.last.finish({ executionTimeNs: 7 });
    await settled();
    assert.deepEqual(bench.reports, [
      {
        runId: 'r1',
        attempt: 1,
        term: 1,
        state: 'succeeded',
        error: null,
        atMs: 1_700_000_000_020,
        result: {
          pid: 4242,
          exitStatus: 0,
          signal: null,
          stdout: { bytes: Buffer.from('all of it'), truncated: false },
          stderr: { bytes: new Uint8Array(), truncated: false },
          executionTimeNs: 7,
          measurement: null,
          startedAtMs: 1_700_000_000_000,
          cpus: [2],
          enforcement: 'unenforced',
          enforcementReason: 'no CAT here',
          cacheUse: null,
          isolation: FAKE_ISOLATION,
          llc: { ways: 4, wayBytes: 1024, cpuModel: 'Example' },
        },
      },
    ]);
    assert.deepEqual(bench.worker.held(), []);
    assert.deepEqual(bench.clock.pending(), [], 'the time limit is no longer counted');
  });

  test('lends a user to each attempt until nothing of it is left, and refuses when none is free', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ ways: 1 }), 'ok');
    assert.deepEqual([...bench.launcher.users], ['r1-1']);
    bench.launcher.noUser = 'all are in use';
    assert.equal(await bench.dispatch({ runId: 'r2' }), 'FULL');
    assert.deepEqual(bench.free(), [7, 4], 'its ways are given back');
    bench.launcher.noUser = null;
    bench.taskFile = async () => null;
    assert.equal(await bench.dispatch({ runId: 'r3' }), 'NO_TASK_FILE');
    assert.deepEqual([...bench.launcher.users], ['r1-1']);
    bench.launcher.last.finish();
    await settled();
    assert.deepEqual([...bench.launcher.users], []);
  });

  test('reserves ways until the program is over and refuses what does not fit', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ ways: 5 }), 'ok');
    assert.deepEqual(bench.free(), [3, 4]);
    assert.equal(await bench.dispatch({ runId: 'r2', ways: 4 }), 'FULL');
    assert.equal(await bench.dispatch({ runId: 'r3', ways: 3 }), 'ok');
    assert.deepEqual(bench.free(), [0, 4]);
    const shares = bench.worker.capacity().runs.map(({ runId, domain, ways }) => ({ runId, domain, ways }));
    assert.deepEqual(shares, [
      { runId: 'r1', domain: 0, ways: 5 },
      { runId: 'r3', domain: 0, ways: 3 },
    ]);
    const before = bench.changes;
    bench.answer = async () => 'retry';
    bench.launcher.programs[0]?.finish();
    await settled();
    assert.ok(bench.changes > before);
    assert.deepEqual(bench.free(), [5, 4], 'a result that waits for a master holds no ways');
    assert.equal(
      await bench.dispatch({ runId: 'r2', ways: 4 }),
      'ok',
      'the same order may come again after FULL',
    );
  });

  test('never overbooks, however many dispatches come at once', async () => {
    await using bench = await Bench.create();
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => bench.dispatch({ runId: `r${index}`, ways: 3 })),
    );
    assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 2);
    assert.deepEqual(bench.free(), [2, 4]);
  });

  test('refuses while its disk has no room, keeps what it holds, and takes runs again once it has', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ runId: 'before' }), 'ok');
    bench.shortage = 'the disk is full';
    assert.equal(await bench.dispatch({ runId: 'after' }), 'DISK_FULL');
    assert.equal(await bench.dispatch({ runId: 'before' }), 'ok', 'it has it already');
    assert.deepEqual(
      bench.worker.held().map(({ runId }) => runId),
      ['before'],
    );
    bench.shortage = null;
    assert.equal(await bench.dispatch({ runId: 'after' }), 'ok');
  });

  test('drops what found no room, without a report, for the master to place it elsewhere', async () => {
    await using bench = await Bench.create();
    bench.launcher.failure = { code: 'NO_ROOM', message: 'no space left on device' };
    assert.equal(await bench.dispatch(), 'ok');
    assert.deepEqual([bench.worker.held(), bench.reports, bench.free()], [[], [], [8, 4]]);
  });

  test('refuses unknown domains, silly ways and tasks without a file, and holds nothing for them', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ domain: 1 }), 'UNKNOWN_DOMAIN');
    for (const ways of [0, -1, 1.5, Number.NaN, 9]) assert.equal(await bench.dispatch({ ways }), 'FULL');
    bench.taskFile = async () => null;
    assert.equal(await bench.dispatch(), 'NO_TASK_FILE');
    bench.taskFile = async () => {
      throw new Error('mesh is gone');
    };
    assert.equal(await bench.dispatch(), 'NO_TASK_FILE');
    assert.deepEqual(bench.free(), [8, 4]);
    assert.deepEqual(bench.worker.held(), []);
    bench.taskFile = async () => '/shelf/file';
    assert.equal(await bench.dispatch(), 'ok', 'the same order may come again');
  });

  test('takes the same order only once, running or over', async () => {
    await using bench = await Bench.create();
    assert.deepEqual(await Promise.all([bench.dispatch(), bench.dispatch()]), ['ok', 'ok']);
    assert.equal(await bench.dispatch(), 'ok');
    assert.equal(bench.launcher.programs.length, 1);
    bench.launcher.last.finish();
    await settled();
    assert.equal(await bench.dispatch(), 'ok');
    assert.equal(bench.launcher.programs.length, 1);
    assert.equal(bench.reports.length, 1);
  });

  test('refuses stale orders, by term first and then by attempt', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ term: 3, attempt: 2 }), 'ok');
    assert.equal(await bench.dispatch({ term: 3, attempt: 1 }), 'STALE');
    assert.equal(await bench.dispatch({ term: 2, attempt: 9 }), 'STALE');
    bench.launcher.last.finish();
    await settled();
    assert.equal(await bench.dispatch({ term: 3, attempt: 1 }), 'STALE', 'also when it is over');
    assert.equal(bench.launcher.programs.length, 1);
  });

  test('kills the older attempt of a run for a newer one, which gets its ways, and reports only the newer', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch({ ways: 8 }), 'ok');
    const older = bench.launcher.last;
    assert.equal(await bench.dispatch({ ways: 8, term: 2 }), 'ok', 'the same attempt number of another term');
    assert.ok(older.kill.aborted);
    assert.equal(await bench.dispatch({ ways: 7, term: 2, attempt: 2 }), 'ok');
    assert.equal(bench.launcher.programs.length, 3);
    assert.deepEqual(bench.worker.held(), [
      { runId: 'r1', attempt: 2, term: 2, domain: 0, ways: 7, phase: 'running' },
    ]);
    bench.launcher.last.finish();
    await settled();
    assert.deepEqual(
      bench.reports.map(({ term, attempt, state }) => ({ term, attempt, state })),
      [{ term: 2, attempt: 2, state: 'succeeded' }],
    );
  });

  test('gives up a newer order that is overtaken while it waits for its file', async () => {
    await using bench = await Bench.create();
    const file = Promise.withResolvers<string>();
    bench.taskFile = (dispatch) => (dispatch.attempt === 1 ? file.promise : Promise.resolve('/shelf/file'));
    const first = bench.dispatch({ attempt: 1 });
    await settled();
    const second = bench.dispatch({ attempt: 2 });
    await settled();
    assert.equal(bench.launcher.programs.length, 0, 'the second waits for the end of the first');
    file.resolve('/shelf/late');
    assert.deepEqual(await Promise.all([first, second]), ['STALE', 'ok']);
    assert.equal(bench.launcher.programs.length, 1);
    assert.equal(bench.launcher.last.order.attempt, 2);
  });

  test('stops a program at its time limit', async () => {
    await using bench = await Bench.create();
    await bench.dispatch({ timeLimitMs: 1500 });
    bench.clock.advance(1499);
    assert.equal(bench.launcher.last.kill.aborted, false);
    bench.clock.advance(1);
    await settled();
    assert.equal(bench.reports[0]?.state, 'timed_out');
    assert.match(bench.reports[0]?.error ?? '', /time limit of 1\.5 s; allow the run more time/);
    assert.equal(bench.reports[0]?.result?.exitStatus, 137);
  });

  test('lets a program that has just ended keep its own result', async () => {
    await using bench = await Bench.create();
    await bench.dispatch();
    bench.launcher.last.finish({ killed: true });
    assert.equal(bench.worker.cancel('r1', 1), true);
    await settled();
    assert.equal(bench.reports[0]?.state, 'succeeded');
  });

  test('cancels an attempt that runs, or that is still being prepared, and no other', async () => {
    await using bench = await Bench.create();
    await bench.dispatch();
    assert.equal(bench.worker.cancel('r1', 2), false);
    assert.equal(bench.worker.cancel('r2', 1), false);
    assert.equal(bench.worker.cancel('r1', 1), true);
    await settled();
    const file = Promise.withResolvers<string>();
    bench.taskFile = () => file.promise;
    const preparing = bench.dispatch({ runId: 'r2' });
    await settled();
    assert.equal(bench.worker.cancel('r2', 1), true);
    file.resolve('/shelf/file');
    assert.equal(await preparing, 'ok');
    assert.deepEqual(
      bench.reports.map(({ runId, state, result }) => ({ runId, state, pid: result?.pid ?? null })),
      [
        { runId: 'r1', state: 'cancelled', pid: 4242 },
        { runId: 'r2', state: 'cancelled', pid: null },
      ],
    );
  });

  test('tells failures apart in words', async () => {
    const cases: [number, string | null, RegExp][] = [
      [3, null, /exit status 3/],
      [127, null, /exit status 127, which usually means/],
      [139, 'SIGSEGV', /ended by SIGSEGV/],
      [137, 'SIGKILL', /not by this node.*memory/],
    ];
    for (const [exitStatus, signal, error] of cases) {
      await using bench = await Bench.create();
      await bench.dispatch();
      bench.launcher.last.finish({ exitStatus, signal });
      await settled();
      assert.equal(bench.reports[0]?.state, 'failed');
      assert.equal(bench.reports[0]?.result?.exitStatus, exitStatus);
      assert.match(bench.reports[0]?.error ?? '', error);
    }
    await using greedy = await Bench.create();
    await greedy.dispatch();
    greedy.launcher.last.finish({ exitStatus: 137, signal: 'SIGKILL', outOfMemoryAtBytes: 64 * 1024 ** 2 });
    await settled();
    assert.match(greedy.reports[0]?.error ?? '', /used up the 64 MiB of memory.*--memory-limit/);
    await using bench = await Bench.create();
    bench.launcher.failure = { code: 'NOT_FOUND', message: 'no such program; install it' };
    assert.equal(await bench.dispatch(), 'ok');
    assert.equal(bench.reports[0]?.state, 'failed');
    assert.equal(bench.reports[0]?.error, 'no such program; install it');
    assert.equal(bench.reports[0]?.result?.exitStatus, 127);
    assert.equal(bench.reports[0]?.result?.pid, null);
    assert.deepEqual(bench.started, []);
  });

  test('hands in a report again and again, more and more slowly, until a master takes it', async () => {
    await using bench = await Bench.create();
    const answers: (Delivery | Error)[] = ['retry', new Error('unreachable'), 'retry', 'accepted'];
    bench.answer = async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer ?? 'accepted';
    };
    await bench.dispatch();
    bench.launcher.last.finish();
    await settled();
    for (const delayMs of [75, 150, 300]) {
      assert.deepEqual(bench.clock.pending(), [delayMs]);
      assert.equal(bench.worker.held()[0]?.phase, 'reporting');
      bench.clock.advance(delayMs);
      await settled();
    }
    assert.equal(bench.reports.length, 4);
    assert.deepEqual(bench.worker.held(), []);
    assert.deepEqual(bench.clock.pending(), []);
  });

  test('waits no longer than five seconds between two tries', async () => {
    await using bench = await Bench.create();
    bench.answer = async () => 'retry';
    await bench.dispatch();
    bench.launcher.last.finish();
    await settled();
    for (let tries = 0; tries < 20; tries++) {
      bench.clock.advance(bench.clock.pending()[0] ?? Number.NaN);
      await settled();
    }
    assert.deepEqual(bench.clock.pending(), [3750]);
  });

  test('forgets a report that is stale', async () => {
    await using bench = await Bench.create();
    bench.answer = async () => 'stale';
    await bench.dispatch();
    bench.launcher.last.finish();
    await settled();
    assert.equal(bench.reports.length, 1);
    assert.deepEqual(bench.worker.held(), []);
  });

  test('shows the output of attempts that it holds', async () => {
    await using bench = await Bench.create();
    bench.answer = async () => 'retry';
    await bench.dispatch();
    const text = (offset: number) => {
      const output = bench.worker.output('r1', 1, 'stdout', offset);
      return output && { text: Buffer.from(output.bytes).toString(), ended: output.ended };
    };
    assert.deepEqual(text(3), { text: 'far', ended: false });
    bench.launcher.last.finish();
    await settled();
    assert.deepEqual(text(4), { text: 'of it', ended: true });
    assert.equal(bench.worker.output('r1', 2, 'stdout', 0), null);
  });

  test('kills everything when its node is removed, reports nothing, and takes runs when it is let in again', async () => {
    await using bench = await Bench.create();
    assert.equal(await bench.dispatch(), 'ok');
    bench.worker.abandonAll();
    await settled();
    assert.deepEqual([bench.worker.held(), bench.reports], [[], []]);
    assert.equal(await bench.dispatch({ runId: 'another', term: 9 }), 'ok');
    assert.equal(bench.worker.held().length, 1);
  });

  test('kills everything when it stops, reports nothing and takes nothing more', async () => {
    const bench = await Bench.create();
    bench.answer = () => new Promise(() => undefined);
    await bench.dispatch({ runId: 'hangs', ways: 1 });
    bench.launcher.last.finish();
    await bench.dispatch({ ways: 1 });
    const reported = bench.reports.length;
    const program = bench.launcher.last;
    await Promise.all([bench.worker.stop(), bench.worker.stop()]);
    assert.ok(program.kill.aborted);
    assert.equal(bench.reports.length, reported);
    assert.deepEqual(bench.worker.held(), []);
    assert.equal(await bench.dispatch({ runId: 'r9' }), 'STOPPING');
    assert.deepEqual(bench.launcher.calls, ['start', 'stop']);
    assert.deepEqual(bench.clock.pending(), []);
  });
});

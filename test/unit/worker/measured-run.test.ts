import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import type { Instrument } from '../../../node/worker/profilers/types.ts';
import { Worker } from '../../../node/worker/worker.ts';
import type { AttemptReport } from '../../../protocols/schema/attempt.ts';
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { Measurement } from '../../../protocols/schema/run.ts';
import type { Measure } from '../../../protocols/schema/task.ts';
import { dispatchOf } from '../../builders/nouns.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { FakeLauncher } from './fakes.ts';

const MEASURE: Measure = { profiler: 'cachegrind', ways: 7, wayBytes: 1024 };
const READ: Measurement = {
  seconds: 2,
  counts: { cycles: 2e9, iRefs: 1, l1Misses: 2, llMisses: 3 },
  processes: null,
};

/** What is reported of a run whose program ends with `exitStatus`. */
async function measuredRun(
  reading: Outcome<Measurement, string>,
  exitStatus = 0,
  instrumentOf?: (measure: Measure) => Outcome<Instrument, string>,
): Promise<{ readonly report: AttemptReport; readonly launcher: FakeLauncher }> {
  const launcher = new FakeLauncher();
  const reported = Promise.withResolvers<AttemptReport>();
  const instrument: Instrument = {
    wrap: async (command) => command,
    collect: async () => undefined,
    reading: () => reading,
  };
  const topology = {
    domains: [{ id: 0, cpus: [0], ways: 8, wayBytes: 1024 }],
    source: 'sysfs',
    cpuModel: '',
  } as const;
  const onChange = (): void => undefined;
  const dependencies = {
    clock: new FakeClock(0),
    random: { next: () => 0.5, id: () => 'id' },
    logger: silentLogger,
    topology,
    launcher,
    partitions: new UnenforcedPartitions({ reason: 'a test' }, { topology, onChange }),
    instrument:
      instrumentOf ??
      ((measure: Measure) => {
        assert.deepEqual(measure, MEASURE);
        return succeed(instrument);
      }),
    shortage: () => null,
    taskFile: async () => '/shelf/file',
    onChange,
    deliverStarted: () => undefined,
    deliverReport: async (report: AttemptReport) => {
      reported.resolve(report);
      return 'accepted' as const;
    },
  };
  await using worker = new Worker({}, dependencies);
  await worker.start();
  await worker.dispatch(dispatchOf({ ways: 1, measure: MEASURE }));
  await settled();
  const [program] = launcher.programs;
  assert.equal(program?.order.instrument, program && instrument);
  program?.finish({ exitStatus });
  return { report: await reported.promise, launcher };
}

test('the reading of the instrument goes into the result', async () => {
  const { report } = await measuredRun(succeed(READ));
  assert.equal(report.state, 'succeeded');
  assert.deepEqual(report.result?.measurement, READ);
});

test('a run that could not be measured has failed, and says why; its output is kept', async () => {
  const { report } = await measuredRun(fail('valgrind left no counts'));
  assert.equal(report.state, 'failed');
  assert.equal(report.error, 'the program ran, but could not be measured: valgrind left no counts');
  assert.equal(Buffer.from(report.result?.stdout.bytes ?? []).toString(), 'all of it');
});

test('counts that no master could take make a failed run, and not one that never ends', async () => {
  const { report } = await measuredRun(succeed({ ...READ, seconds: -1 }));
  assert.equal(report.state, 'failed');
  assert.match(report.error ?? '', /^its result can't be told: "result\.measurement\.seconds"/);
  assert.equal(report.result, null);
});

test('of a program that failed nothing is measured', async () => {
  const { report } = await measuredRun(succeed(READ), 3);
  assert.equal(report.state, 'failed');
  assert.match(report.error ?? '', /exit status 3/);
  assert.equal(report.result?.measurement ?? null, null);
});

test('without the profiler nothing is started', async () => {
  const why = "this node can't measure by cachegrind";
  const { report, launcher } = await measuredRun(succeed(READ), 0, () => fail(why));
  assert.deepEqual([report.state, report.error, launcher.programs.length], ['failed', why, 0]);
});

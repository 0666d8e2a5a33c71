import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DomainOffer } from '../../../node/master/placement.ts';
import { RunService } from '../../../node/master/run-service.ts';
import { WayPlanner } from '../../../node/master/way-planner.ts';
import { createRun } from '../../../node/state/run-lifecycle.ts';
import type { CacheGeometry, MeasuredCurve, Prediction, Predictor } from '../../../predictor/types.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import type { RunSpec } from '../../../protocols/schema/run.ts';
import type { Profile } from '../../../protocols/schema/task.ts';
import { CurveFitHost } from '../../support/curve-fit-host.ts';
import { emptyVault } from '../../support/empty-vault.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { assignment, finish, LLC, spec, TASK, tablesWithTask } from '../state/fixtures.ts';

const DOMAIN: DomainOffer = {
  node: 'node-a',
  domain: 0,
  ways: 16,
  wayBytes: 1024,
  freeWays: 16,
  cpus: 4,
  freeCpus: 4,
};

const PROFILE: Profile = {
  taskId: TASK.id,
  inputSize: 100,
  command: 'python3',
  profiler: 'cachegrind',
  note: null,
  ways: 16,
  wayBytes: 1024,
  cpuModel: 'test',
  node: 'node-a',
  points: [
    { ways: 1, seconds: [3] },
    { ways: 16, seconds: [1] },
  ],
  measuredAtMs: 1,
};

class FakePredictor extends CurveFitHost {
  readonly asked: { readonly known: readonly MeasuredCurve[]; readonly geometry: CacheGeometry }[] = [];
  prediction: Prediction | null = null;

  override predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry) {
    this.asked.push({ known, geometry });
    return this.prediction ?? super.predict(known, inputSize, geometry);
  }
}

function setUp(predictor: Predictor = new FakePredictor()) {
  const { tables, apply } = tablesWithTask();
  const warnings: object[] = [];
  const admitted: RunSpec[] = [];
  const state = { domains: [DOMAIN] as readonly DomainOffer[], free: 200 };
  const planner = new WayPlanner({
    self: 'node-a',
    tables,
    predictor,
    scheduler: { domains: () => [...state.domains], freeWays: () => state.free },
    clock: new FakeClock(),
    logger: { ...silentLogger, warn: (fields) => warnings.push(fields) },
  });
  const service = new RunService(
    { timeLimitMs: 1_000 },
    {
      tables,
      planner,
      vault: emptyVault,
      scheduler: {
        admit: async (wanted) => {
          admitted.push(wanted);
          return succeed(createRun(wanted, null));
        },
      },
      clock: new FakeClock(),
      random: { next: () => 0.5, id: () => 'new' },
    },
  );
  let count = 0;
  const ran = (seconds: number, enforcement: 'enforced' | 'unenforced', ways = 4): void => {
    const id = `r${++count}`;
    apply({ type: 'run-create', spec: spec(id), assignment: assignment({ ways }) });
    apply({
      ...finish(id, 1, 1, { llc: LLC, executionTimeNs: seconds * 1e9, enforcement }),
      atMs: 5_000 + count,
    });
  };
  const request = {
    taskId: TASK.id,
    command: 'python3',
    inputSize: 100,
    timeLimitMs: null,
    secrets: [],
    idempotencyKey: null,
  };
  return { tables, apply, planner, service, admitted, warnings, ran, state, request };
}

const question = { command: null, inputSize: 100, maxSlowdown: null };

describe('how many ways', () => {
  test('never benchmarked: an equal share, and nothing is run but what was submitted', async () => {
    const { planner, service, admitted, request } = setUp();
    const plan = planner.plan(TASK, question);
    assert.deepEqual([plan.mode, plan.ways, plan.choice], ['INOP', 4, null]);
    assert.match(plan.why, /never benchmarked/);
    assert.deepEqual(await service.run({ ...request, maxSlowdown: null }), succeed(null));
    await service.submit({
      functionName: 'sort',
      parameters: undefined,
      secrets: [],
      maxSlowdown: null,
      idempotencyKey: null,
    });
    assert.deepEqual(
      admitted.map(({ mode, ways, choice }) => [mode, ways, choice]),
      [['INOP', 4, null]],
    );
  });

  test('runs that nothing held make no task ready; runs in held ways do when the model can place it', async () => {
    const { planner, ran } = setUp();
    for (const ways of [4, 8]) ran(1, 'unenforced', ways);
    assert.equal(planner.plan(TASK, question).mode, 'INOP');
    ran(2, 'enforced', 4);
    assert.equal(planner.plan(TASK, question).mode, 'INOP', 'one point has no slope');
    ran(1, 'enforced', 8);
    const plan = planner.plan(TASK, question);
    assert.equal(plan.mode, 'ASSISTED');
    assert.ok(plan.choice && plan.ways > 4);
  });

  test('only a benchmark makes it BENCHMARKED, whatever the model says', async () => {
    const predictor = new FakePredictor();
    predictor.prediction = { mode: 'BENCHMARKED', slowdown: [1], quantiles: [], fullCacheSeconds: 1 };
    const { planner, apply } = setUp(predictor);
    assert.equal(planner.plan(TASK, question).mode, 'ASSISTED');
    apply({ type: 'profile-put', profile: PROFILE });
    assert.equal(planner.plan(TASK, question).mode, 'BENCHMARKED');
    assert.equal(predictor.asked.at(-1)?.known[0]?.origin, 'benchmark');
  });

  test('what the request allows and what is free decide, and the choice is recorded', async () => {
    const { service, apply, admitted, request, state } = setUp();
    apply({ type: 'profile-put', profile: PROFILE });
    state.free = 20;
    for (const maxSlowdown of [null, 1, 2.9]) await service.run({ ...request, maxSlowdown });
    const [usual, strict, lax] = admitted.map(({ choice }) => choice);
    assert.equal(usual?.maxSlowdown, 1.05);
    assert.equal(strict?.needed, 16);
    assert.ok(usual && lax && lax.needed < usual.needed && lax.expectedSlowdown <= 2.9);
    assert.deepEqual([lax.model, lax.modelVersion], ['curve-fit', null]);
    assert.deepEqual(
      admitted.map(({ ways, choice }) => ways === choice?.ways),
      [true, true, true],
    );
    state.free = 2_000;
    await service.run({ ...request, maxSlowdown: 2.9 });
    assert.ok((admitted.at(-1)?.choice?.ways ?? 0) > lax.ways, 'free ways are given away');
    assert.equal(admitted.at(-1)?.choice?.needed, lax.needed);
  });

  test('without any node heard the machine of the benchmark stands for all', async () => {
    const { planner, apply, state } = setUp();
    state.domains = [];
    assert.deepEqual(planner.plan(TASK, question).geometry, { ways: 1, wayBytes: 1 });
    apply({ type: 'profile-put', profile: { ...PROFILE, ways: 12 } });
    assert.deepEqual(planner.plan(TASK, question).geometry, { ways: 12, wayBytes: 1024 });
  });

  test('a change of behaviour is logged once, runs with another command are another program', async () => {
    const { planner, apply, ran, warnings } = setUp();
    apply({ type: 'profile-put', profile: PROFILE });
    for (const seconds of [1, 2]) for (let i = 0; i < 6; i += 1) ran(seconds, 'enforced');
    const plan = planner.plan(TASK, question);
    planner.plan(TASK, question);
    assert.equal(plan.evidence.drift?.afterSeconds, 2);
    assert.equal(warnings.length, 1);
    assert.match(JSON.stringify(warnings[0]), /2 times as slow/);
    assert.equal(planner.plan(TASK, { ...question, command: 'pypy' }).evidence.drift, null);
  });

  test('a key that comes again gets the same run, whatever slowdown it allows now', async () => {
    const { service, apply, request } = setUp();
    apply({ type: 'run-create', spec: spec('old', { idempotencyKey: 'k' }), assignment: null });
    const again = await service.run({ ...request, idempotencyKey: 'k', maxSlowdown: 7 });
    assert.ok(again.ok && again.value?.spec.id === 'old');
    const other = await service.run({ ...request, inputSize: 1, idempotencyKey: 'k', maxSlowdown: 7 });
    assert.ok(!other.ok && other.error.code === 'CONFLICT');
    assert.deepEqual(
      await service.run({ ...request, taskId: 'none', maxSlowdown: null }),
      fail({ code: 'NOT_FOUND', message: 'there is no task none; upload it to /controller/task/new first' }),
    );
  });
});

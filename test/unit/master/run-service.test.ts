import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RunService } from '../../../node/master/run-service.ts';
import { WayPlanner } from '../../../node/master/way-planner.ts';
import { keyIdOf, seal } from '../../../node/secrets/sealing.ts';
import { CurveFitPredictor } from '../../../predictor/eval/baselines/curve-fit.ts';
import { succeed } from '../../../protocols/schema/outcome.ts';
import type { Secret } from '../../../protocols/schema/secret.ts';
import type { ProfilerName } from '../../../protocols/schema/task.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { TASK, tablesWithTask } from '../state/fixtures.ts';

const KEY = new Uint8Array(32);

function setUp() {
  const { tables, apply } = tablesWithTask();
  apply({ type: 'cluster-key-put', id: keyIdOf(KEY), removals: 0 });
  const sealing: string[] = [];
  let ids = 0;
  const service = new RunService(
    { timeLimitMs: 60_000 },
    {
      tables,
      scheduler: {
        admit: async (spec) => {
          // As long as a majority's disks take.
          await settled();
          const result = apply({ type: 'run-create', spec, assignment: null });
          const run = tables.run(result.runId ?? spec.id);
          assert.ok(run);
          return succeed(run);
        },
      },
      planner: new WayPlanner({
        self: 'node-a',
        tables,
        scheduler: { domains: () => [], freeWays: () => 0 },
        predictor: new CurveFitPredictor(),
        clock: new FakeClock(),
        logger: silentLogger,
      }),
      vault: {
        seal: async (owner, secrets) => {
          sealing.push(owner);
          return succeed(secrets.map((secret) => seal(KEY, owner, secret)));
        },
      },
      clock: new FakeClock(),
      random: { next: () => 0.5, id: () => `run-${++ids}` },
    },
  );
  const submit = async (parameters: unknown, secrets: readonly Secret[] = []) => {
    const answer = await service.submit({
      functionName: TASK.name,
      parameters,
      secrets,
      maxSlowdown: null,
      idempotencyKey: 'once',
    });
    return answer.ok ? answer.value.spec.id : answer.error.code;
  };
  return { apply, submit, service, sealing };
}

describe('a run of a function', () => {
  /** As REST asks for it, after profiles by these instruments. */
  async function specOf(
    profilers: readonly { readonly profiler: ProfilerName; readonly seconds: readonly number[] }[],
    inputSize = 100,
  ) {
    const { apply, service } = setUp();
    for (const { profiler, seconds } of profilers) {
      const points = seconds.map((second, way) => ({ ways: way + 1, seconds: [second] }));
      const geometry = { note: null, ways: seconds.length, wayBytes: 1024, cpuModel: 'x', node: 'n' };
      const profile = { taskId: TASK.id, inputSize: 100, command: 'c', profiler, points, measuredAtMs: 1 };
      apply({ type: 'profile-put', profile: { ...profile, ...geometry } });
    }
    const answer = await service.submit({
      functionName: TASK.name,
      parameters: { input_size: inputSize },
      secrets: [],
      maxSlowdown: null,
      idempotencyKey: null,
    });
    assert.ok(answer.ok);
    const { sensitive, ways } = answer.value.spec;
    return { sensitive, ways };
  }
  const FLAT = [1.02, 1.01, 1, 1];
  const STEEP = [3, 2, 1.5, 1];

  test('that gains nothing from cache belongs into the shared pool', async () => {
    assert.deepEqual(await specOf([{ profiler: 'cachegrind', seconds: FLAT }]), {
      sensitive: false,
      ways: 1,
    });
  });
  test('that gains has ways of its own', async () => {
    assert.equal((await specOf([{ profiler: 'cachegrind', seconds: STEEP }])).sensitive, true);
  });
  test('that was never benchmarked has its equal share', async () => {
    assert.deepEqual(await specOf([]), { sensitive: true, ways: 1 });
  });
  test('is not sent there by times that say nothing about cache', async () => {
    assert.equal((await specOf([{ profiler: 'wallclock', seconds: FLAT }])).sensitive, true);
    const both = await specOf([
      { profiler: 'cachegrind', seconds: STEEP },
      { profiler: 'wallclock', seconds: FLAT },
    ]);
    assert.equal(both.sensitive, true);
  });
  test('is not sent there by another input size, unless that is sure', async () => {
    assert.equal((await specOf([{ profiler: 'cachegrind', seconds: FLAT }], 5000)).sensitive, true);
  });
});

test('the secrets of a task are for its own command: no other program is run or measured with them', async () => {
  const { apply, service } = setUp();
  const measured = { inputSize: 100, profiler: 'wallclock', points: [{ ways: 1, seconds: [1] }] } as const;
  const where = { note: null, ways: 1, wayBytes: 1024, cpuModel: 'x', node: 'n', measuredAtMs: 1 };
  apply({ type: 'profile-put', profile: { taskId: TASK.id, command: 'python3', ...measured, ...where } });
  const request = {
    taskId: TASK.id,
    inputSize: 100,
    timeLimitMs: null,
    idempotencyKey: null,
    maxSlowdown: null,
  };
  const run = async (command: string) => service.run({ ...request, command, secrets: [] });
  const measure = async (command: string) =>
    service.measure({ ...request, command }, { ways: 1, measure: null, pinnedTo: null, timeLimitMs: 1 });
  const thief = "sh -c 'cat $FSCHED_SECRETS_DIR/*'";
  assert.ok((await run(thief)).ok, 'without secrets it may');
  const secret = { name: 'A', value: new Uint8Array(1) };
  apply({ type: 'task-secrets', taskId: TASK.id, secrets: [seal(KEY, `task ${TASK.id}`, secret)] });
  for (const ask of [run, measure]) {
    const refused = await ask(thief);
    assert.ok(!refused.ok && refused.error.code === 'UNPROCESSABLE');
    assert.match(refused.error.message, /for its own command only \(python3\)/);
    assert.ok((await ask('python3')).ok);
  }
});

describe('a submission that is repeated with its Idempotency-Key', () => {
  test('is the same run when its secrets have the same names and sizes, though they are sealed anew', async () => {
    const { apply, submit, sealing } = setUp();
    const [a, b] = ['aaa', 'bbb'].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
    assert.equal(await submit(1, [{ name: 'A', value: a }]), 'run-1');
    assert.deepEqual(sealing, ['run run-1'], 'for this run only');
    for (const over of [false, true]) {
      if (over) apply({ type: 'run-cancel', runId: 'run-1', atMs: 5 });
      assert.equal(await submit(1, [{ name: 'A', value: a }]), 'run-1');
      // Nothing is kept that would tell the two apart.
      assert.equal(await submit(1, [{ name: 'A', value: b }]), 'run-1');
      assert.equal(await submit(1, [{ name: 'A', value: a.subarray(1) }]), 'CONFLICT');
      assert.equal(await submit(1, [{ name: 'B', value: a }]), 'CONFLICT');
      assert.equal(await submit(1), 'CONFLICT');
    }
  });

  test('is the same run even when a newer task has taken the name, with another command', async () => {
    const { apply, submit } = setUp();
    assert.equal(await submit({ word: 'a' }), 'run-1');
    apply({ type: 'task-create', task: { ...TASK, id: 'task-2', command: null } });
    assert.equal(await submit({ word: 'a' }), 'run-1');
  });

  test('is the same run, or refused, also when the run is over and its parameters are gone', async () => {
    const { apply, submit } = setUp();
    assert.equal(await submit({ word: 'a' }), 'run-1');
    apply({ type: 'run-cancel', runId: 'run-1', atMs: 5 });
    assert.equal(await submit({ word: 'a' }), 'run-1');
    assert.equal(await submit({ word: 'b' }), 'CONFLICT');
    assert.equal(await submit(undefined), 'CONFLICT');
  });

  test('is the same run, or refused, also when the first is not committed yet', async () => {
    const { submit } = setUp();
    const together = ['a', 'b', 'a'].map((word) => submit({ word }));
    assert.deepEqual(await Promise.all(together), ['run-1', 'CONFLICT', 'run-1']);
  });

  test('is refused when only the parameters differ, not their size', async () => {
    const { submit } = setUp();
    assert.equal(await submit({ word: 'a' }), 'run-1');
    assert.equal(await submit({ word: 'b' }), 'CONFLICT');
    assert.equal(await submit(undefined), 'CONFLICT');
  });
});

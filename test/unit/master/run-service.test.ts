import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLogger } from '../../../node/adapters.ts';
import { RunService } from '../../../node/master/run-service.ts';
import { WayPlanner } from '../../../node/master/way-planner.ts';
import { succeed } from '../../../node/ports.ts';
import { CurveFitPredictor } from '../../../predictor/curve-fit.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { TASK, tablesWithTask } from '../state/fixtures.ts';

function setUp() {
  const { tables, apply } = tablesWithTask();
  let ids = 0;
  const service = new RunService(
    { timeLimitMs: 60_000 },
    {
      tables,
      scheduler: {
        admit: async (spec) => {
          apply({ type: 'run-create', spec, assignment: null });
          const run = tables.run(spec.id);
          assert.ok(run);
          return succeed(run);
        },
      },
      planner: new WayPlanner({
        tables,
        scheduler: { domains: () => [], freeWays: () => 0 },
        predictor: new CurveFitPredictor(),
        clock: new FakeClock(),
        logger: silentLogger,
      }),
      clock: new FakeClock(),
      random: { next: () => 0.5, id: () => `run-${++ids}` },
    },
  );
  const submit = async (parameters: unknown) => {
    const answer = await service.submit({
      functionName: TASK.name,
      parameters,
      maxSlowdown: null,
      idempotencyKey: 'once',
    });
    return answer.ok ? answer.value.spec.id : answer.error.code;
  };
  return { apply, submit };
}

describe('a submission that is repeated with its Idempotency-Key', () => {
  test('is the same run even when a newer task has taken the name, with another command', async () => {
    const { apply, submit } = setUp();
    assert.equal(await submit({ word: 'a' }), 'run-1');
    apply({ type: 'task-create', task: { ...TASK, id: 'task-2', command: null } });
    assert.equal(await submit({ word: 'a' }), 'run-1');
  });

  test('is refused when only the parameters differ, not their size', async () => {
    const { submit } = setUp();
    assert.equal(await submit({ word: 'a' }), 'run-1');
    assert.equal(await submit({ word: 'b' }), 'CONFLICT');
    assert.equal(await submit(undefined), 'CONFLICT');
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Trainer } from '../../../node/master/trainer.ts';
import { cachePoints, isTimeToTrain, TRAINING_RULE } from '../../../node/master/training-plan.ts';
import type { ApplyResult } from '../../../node/state/types.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import type { Profile } from '../../../protocols/schema/task.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { FakeModelHost, score, trained } from '../../support/fake-model-host.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { candidate, LLC, TASK, tablesWithTask } from '../state/fixtures.ts';

const profile = (taskId: string, changes: Partial<Profile> = {}): Profile => ({
  taskId,
  inputSize: 1,
  command: 'c',
  profiler: 'cachegrind',
  note: null,
  ways: 16,
  wayBytes: 1024,
  cpuModel: 'test',
  node: 'node-a',
  points: [
    { ways: 1, seconds: [2] },
    { ways: 16, seconds: [1] },
  ],
  measuredAtMs: 1,
  ...changes,
});

const MINUTE = 60_000;

function setUp() {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const host = new FakeModelHost();
  const steps: string[] = [];
  const state = { replicated: true, interfere: null as Command | null };
  const trainer = new Trainer(
    {},
    {
      self: 'node-a',
      tables,
      host,
      clock,
      random: { next: () => 0.25 },
      shelf: {
        ingest: async (content) => {
          let text = '';
          for await (const chunk of content) text += Buffer.from(chunk).toString();
          steps.push(`stored ${text}`);
          return succeed({ sha256: 'f'.repeat(64), size: text.length });
        },
      },
      replicate: async (sha256) => {
        steps.push(`replicated ${sha256.slice(0, 2)}`);
        if (state.interfere) apply(state.interfere);
        return state.replicated ? succeed(undefined) : fail({ code: 'UNAVAILABLE', message: 'no majority' });
      },
      propose: async (command) => {
        steps.push(command.type);
        return succeed<ApplyResult>(apply(command));
      },
      logger: silentLogger,
    },
  );
  /** Tasks with a curve that sees the cache. */
  const measure = (count: number, from = 0): void => {
    for (let i = from; i < from + count; i += 1) {
      apply({ type: 'task-create', task: { ...TASK, id: `t${i}` } });
      apply({ type: 'profile-put', profile: profile(`t${i}`) });
    }
  };
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 15_000) {
      clock.advance(Math.min(left, 15_000));
      for (let i = 0; i < 6; i += 1) {
        await settled();
        clock.advance(0);
      }
    }
  };
  trainer.start();
  return { tables, apply, clock, host, steps, state, trainer, measure, pass };
}

describe('when it is time', () => {
  const rule = TRAINING_RULE;
  test('four tasks more, or a fifth more points, and five minutes later', () => {
    const now = { tasks: 4, points: 8 };
    assert.ok(isTimeToTrain(now, null, Number.POSITIVE_INFINITY, rule));
    assert.ok(!isTimeToTrain({ ...now, tasks: 3 }, null, Number.POSITIVE_INFINITY, rule));
    assert.ok(!isTimeToTrain({ tasks: 8, points: 20 }, now, 299_999, rule));
    assert.ok(isTimeToTrain({ tasks: 8, points: 8 }, now, 300_000, rule));
    assert.ok(isTimeToTrain({ tasks: 4, points: 10 }, now, 300_000, rule));
    assert.ok(!isTimeToTrain({ tasks: 4, points: 9 }, now, 300_000, rule));
  });

  test('points are different ones, of curves that see the cache at two numbers of ways', () => {
    assert.equal(cachePoints([profile('t')], []), 2);
    assert.equal(cachePoints([profile('t', { profiler: 'wallclock' })], []), 0);
    assert.equal(cachePoints([profile('t', { points: [{ ways: 1, seconds: [1, 1, 1] }] })], []), 0);
    const time = { seconds: 1, llc: LLC, enforcement: 'enforced', occupancy: null, atMs: 1 } as const;
    const runs = (ways: readonly number[], enforcement: 'enforced' | 'shared' = 'enforced') => ({
      taskId: 't',
      command: 'c',
      inputSize: 1,
      times: ways.map((each) => ({ ...time, ways: each, enforcement })),
      change: null,
    });
    assert.equal(cachePoints([], [runs([1, 1, 2, 2])]), 2);
    assert.equal(cachePoints([], [runs([1, 1])]), 0);
    assert.equal(cachePoints([], [runs([1, 2], 'shared')]), 0);
    assert.equal(cachePoints([profile('t')], [runs([5])]), 3);
  });
});

describe('training', () => {
  test('begins by itself with the fourth task; what is better becomes the next version, stored before it is committed', async () => {
    const { measure, pass, host, steps, tables, trainer } = setUp();
    measure(3);
    await pass(MINUTE);
    assert.equal(host.requests.length, 0);
    measure(1, 3);
    await pass(15_000);
    assert.equal(host.requests.length, 1);
    assert.equal(host.requests[0]?.seed, 2 ** 29);
    assert.deepEqual(
      host.requests[0]?.tasks.map(({ taskId, curves }) => [taskId, curves.length]),
      [
        ['t3', 1],
        ['t2', 1],
        ['t1', 1],
        ['t0', 1],
      ],
    );
    assert.deepEqual(steps, ['stored better', 'replicated ff', 'model-put']);
    const [version] = tables.models.versions;
    assert.deepEqual(
      [version?.version, version?.base, version?.seed, version?.sha256, version?.size, version?.backend],
      [1, 0, 2 ** 29, 'f'.repeat(64), 6, 'fake'],
    );
    assert.deepEqual(version?.learned, { tasks: 4, points: 8 });
    assert.deepEqual([version?.before.loss, version?.after.loss], [1, 0.5]);
    assert.equal(
      trainer.view().last,
      'version 1 was accepted: loss 0.5 instead of 1 on tasks that were held out',
    );
    assert.equal(trainer.view().running, null);
  });

  test('what is no better is dropped, with both scores; then it waits for more evidence, and five minutes', async () => {
    const { measure, pass, host, steps, tables, apply } = setUp();
    host.onTrain = async () => succeed(trained('worse', { after: score(1) }));
    measure(4);
    await pass(15_000);
    assert.deepEqual(steps, ['model-drop']);
    assert.equal(tables.models.current, 0);
    assert.deepEqual([tables.models.dropped[0]?.before.loss, tables.models.dropped[0]?.after.loss], [1, 1]);
    await pass(20 * MINUTE);
    assert.equal(host.requests.length, 1, 'nothing new has come in');
    apply({ type: 'profile-put', profile: profile('t0', { inputSize: 2 }) });
    await pass(15_000);
    assert.equal(host.requests.length, 2);
    measure(9, 4);
    await pass(4 * MINUTE);
    assert.equal(host.requests.length, 2, 'not so soon');
    await pass(2 * MINUTE);
    assert.equal(host.requests.length, 3);
  });

  test('by request, whatever is known; one at a time', async () => {
    const { measure, pass, host, trainer } = setUp();
    const refused = await trainer.train();
    assert.ok(!refused.ok && refused.error.code === 'CONFLICT');
    assert.match(refused.error.message, /nothing to learn from/);
    const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<typeof host.onTrain>>>();
    host.onTrain = () => promise;
    measure(1);
    const alone = await trainer.train();
    assert.ok(!alone.ok && /none to judge by/.test(alone.error.message));
    measure(2);
    assert.deepEqual(await trainer.train(), succeed({ tasks: 2, points: 4 }));
    assert.deepEqual(trainer.view().running?.learned, { tasks: 2, points: 4 });
    const second = await trainer.train();
    assert.ok(!second.ok && /already/.test(second.error.message));
    resolve(fail('too few tasks to hold some out'));
    await pass(1);
    assert.match(trainer.view().last ?? '', /failed: too few tasks/);
    assert.equal(trainer.view().running, null);
  });

  test('is aborted with the mastership, and nothing is proposed', async () => {
    const { measure, pass, host, trainer, steps, clock } = setUp();
    let signal: AbortSignal | null = null;
    host.onTrain = (_request, given) => {
      signal = given;
      return new Promise((resolve) =>
        given.addEventListener('abort', () => resolve(succeed(trained('better')))),
      );
    };
    measure(4);
    await pass(15_000);
    assert.equal((signal as AbortSignal | null)?.aborted, false);
    trainer.stop();
    await pass(1);
    assert.deepEqual(steps, []);
    assert.equal((signal as AbortSignal | null)?.aborted, true);
    assert.deepEqual(clock.pending(), []);
  });

  test('weights that lie on no majority, scores that are none, a version chosen meanwhile: nothing comes of it', async () => {
    const { measure, pass, host, trainer, steps, state, apply, tables } = setUp();
    measure(4);
    state.replicated = false;
    await pass(15_000);
    assert.match(trainer.view().last ?? '', /no majority/);
    assert.equal(tables.models.current, 0);
    state.replicated = true;
    host.onTrain = async () => succeed(trained('x', { after: score(Number.NaN) }));
    await trainer.train();
    await pass(1);
    assert.match(trainer.view().last ?? '', /no numbers/);
    host.onTrain = async () => succeed(trained('late'));
    state.interfere = { type: 'model-put', model: candidate() };
    await trainer.train();
    await pass(1);
    assert.equal(steps.at(-1), 'model-put');
    assert.match(trainer.view().last ?? '', /another version was chosen meanwhile/);
    assert.equal(tables.models.current, 1);
    const behind = await trainer.train();
    assert.ok(!behind.ok && /does not have version 1 yet/.test(behind.error.message));
    host.version = 1;
    apply({ type: 'model-select', version: 0 });
    assert.ok(!(await trainer.train()).ok);
  });

  test('a method without weights is never trained', async () => {
    const { measure, pass, host, trainer } = setUp();
    host.info = () => ({ name: 'curve-fit', version: null, sha256: null, description: '' });
    measure(5);
    await pass(MINUTE);
    assert.deepEqual(host.requests, []);
    const refused = await trainer.train();
    assert.ok(!refused.ok && /curve-fit.*no weights/.test(refused.error.message));
  });
});

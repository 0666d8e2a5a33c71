import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { makeExamples, toLesson } from '../../../../predictor/model/examples.ts';
import { scoreOf } from '../../../../predictor/model/judge.ts';
import { openBackend, type TensorBackend } from '../../../../predictor/model/tensor-backend.ts';
import { retrain, trainModel } from '../../../../predictor/model/trainer.ts';
import { decodeWeights, encodeWeights, type ModelWeights } from '../../../../predictor/model/weights-file.ts';
import type { TrainingTask } from '../../../../predictor/types.ts';
import { families, GEOMETRY } from './fixtures.ts';

const BRIEF = { questions: 400, networks: 1, fit: { steps: 60, batchSize: 128 } };
const FURTHER = {
  shippedQuestions: 300,
  taskQuestions: 300,
  fit: { steps: 100, batchSize: 128, learningRate: 1e-3, weightDecay: 1e-5 },
};
const SHIPPED = families([4, 8, 24]);

const tasks = (elementBytes: readonly number[]): TrainingTask[] =>
  families(elementBytes).map(({ name, curves }) => ({ taskId: name, curves }));

describe('training', () => {
  let backend: TensorBackend;
  let base: ModelWeights;
  before(async () => {
    backend = await openBackend();
    base = await trainModel(SHIPPED, { ...BRIEF, seed: 1 }, backend);
  });

  test('gives the same weights for the same seed, others for another', async () => {
    const again = await trainModel(SHIPPED, { ...BRIEF, seed: 1 }, backend);
    assert.deepEqual(encodeWeights(again), encodeWeights(base));
    const other = await trainModel(SHIPPED, { ...BRIEF, seed: 2 }, backend);
    assert.notDeepEqual(encodeWeights(other), encodeWeights(base));
  });

  test('learns: longer is better on other functions', async () => {
    const questions = makeExamples(families([6, 16]), 100, 3);
    const longer = await trainModel(
      SHIPPED,
      { ...BRIEF, fit: { steps: 300, batchSize: 128 }, seed: 1 },
      backend,
    );
    const loss = (weights: ModelWeights): number => scoreOf(weights, questions).loss;
    assert.ok(loss(longer) < loss(base), `${loss(longer)} against ${loss(base)}`);
  });

  test('goes on with the tasks of a cluster, and is judged on some that it did not see', async () => {
    const request = { tasks: tasks([3, 5, 10, 20, 40]), seed: 7 };
    const result = await retrain(base, request, { backend, shipped: SHIPPED }, FURTHER);
    const decoded = decodeWeights(result.weights);
    assert.ok(decoded.ok);
    assert.notDeepEqual(result.weights, encodeWeights(base));
    assert.equal(result.before.questions, result.after.questions);
    for (const score of [result.before, result.after]) {
      assert.ok(Object.values(score).every(Number.isFinite), JSON.stringify(score));
      assert.ok(score.within >= 0 && score.within <= 1 && score.questions > 0);
    }
    assert.ok(result.after.loss < result.before.loss, 'these tasks are much alike');
    assert.deepEqual(result.extent, { functions: 3 + 4, curves: 15 + 20, points: 16 * 35 });
    assert.equal(result.backend, backend.name);
    const again = await retrain(base, request, { backend, shipped: SHIPPED }, FURTHER);
    assert.deepEqual(again.weights, result.weights);
  });

  test('needs two tasks whose curves are known', async () => {
    const [one] = tasks([8]);
    assert.ok(one);
    const blind = {
      taskId: 'blind',
      curves: one.curves.map((curve) => ({ ...curve, profiler: 'wallclock' })),
    };
    const short = {
      taskId: 'short',
      curves: one.curves.map((curve) => ({ ...curve, points: curve.points.slice(0, 1) })),
    };
    for (const few of [[], [one], [one, blind], [one, short]]) {
      await assert.rejects(
        retrain(base, { tasks: few, seed: 1 }, { backend, shipped: SHIPPED }),
        /fewer than two tasks/,
      );
    }
  });
});

test('examples are the same for the same seed, and never of a number that is none', () => {
  const made = makeExamples(SHIPPED, 200, 5);
  assert.deepEqual(made, makeExamples(SHIPPED, 200, 5));
  const { inputs, targets } = toLesson(made);
  assert.ok(inputs.rows > 200 * (GEOMETRY.ways / 4));
  assert.equal(inputs.rows, targets.rows);
  assert.ok(inputs.values.every(Number.isFinite));
  assert.ok(targets.values.every((value) => value === 0 || value === 1));
});

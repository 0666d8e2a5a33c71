import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NeuralModel } from '../../../../predictor/model/neural-model.ts';
import { shippedWeights } from '../../../../predictor/model/shipped.ts';
import { decodeWeights, encodeWeights, type ModelWeights } from '../../../../predictor/model/weights-file.ts';
import { curveOf, GEOMETRY } from './fixtures.ts';

const curve = curveOf(50_000, (size) => 16 * size, [1, 4, 16]);
const TASKS = [8, 16, 24].map((bytes) => ({
  taskId: `t${bytes}`,
  curves: [20_000, 50_000, 100_000].map((size) => curveOf(size, (each) => bytes * each)),
}));

async function weightsWith(change: (shipped: ModelWeights) => ModelWeights): Promise<Uint8Array> {
  const decoded = decodeWeights(await shippedWeights());
  assert.ok(decoded.ok);
  return encodeWeights(change(decoded.value));
}

/** The shipped weights with another bias: other answers. */
const otherWeights = (): Promise<Uint8Array> =>
  weightsWith((shipped) => ({
    ...shipped,
    ensemble: shipped.ensemble.map((network) =>
      network.map((layer, i) =>
        i < network.length - 1 ? layer : { ...layer, bias: layer.bias.map((b) => b + 3) },
      ),
    ),
  }));

describe('the neural model', () => {
  test('answers with the shipped weights from the start, and knows nothing of nothing', async () => {
    await using model = await NeuralModel.open();
    const { name, version, sha256 } = model.info();
    assert.deepEqual([name, version], ['neural', 0]);
    assert.match(sha256 ?? '', /^[0-9a-f]{64}$/);
    assert.equal(model.predict([], 80_000, GEOMETRY).mode, 'INOP');
    assert.equal(model.predict([curve], 80_000, GEOMETRY).mode, 'ASSISTED');
  });

  test('takes other weights into use, and goes back', async () => {
    await using model = await NeuralModel.open();
    const { sha256 } = model.info();
    const shipped = model.predict([curve], 80_000, GEOMETRY);
    const loaded = model.load(4, await otherWeights());
    assert.ok(loaded.ok, JSON.stringify(loaded));
    assert.equal(loaded.value.version, 4);
    assert.notEqual(loaded.value.sha256, sha256);
    assert.notDeepEqual(model.predict([curve], 80_000, GEOMETRY), shipped);
    assert.deepEqual([model.loadShipped().version, model.info().sha256], [0, sha256]);
    assert.deepEqual(model.predict([curve], 80_000, GEOMETRY), shipped);
  });

  test('refuses weights that it can not use with a sentence, and goes on with those before', async () => {
    await using model = await NeuralModel.open();
    const before = model.predict([curve], 80_000, GEOMETRY);
    const damaged = await otherWeights();
    damaged[100] = (damaged[100] ?? 0) ^ 1;
    const foreign = await weightsWith((shipped) => ({ ...shipped, featureVersion: 99 }));
    for (const [weights, sentence] of [
      [damaged, /damaged/],
      [foreign, /features of version 99.*train them again/],
      [new Uint8Array(2 ** 21), /its size/],
    ] as const) {
      const refused = model.load(5, weights);
      assert.ok(!refused.ok && sentence.test(refused.error), JSON.stringify(refused));
    }
    assert.equal(model.info().version, 0);
    assert.deepEqual(model.predict([curve], 80_000, GEOMETRY), before);
  });

  test('gives a training up when nobody wants it, and answers meanwhile', async () => {
    await using model = await NeuralModel.open();
    const giveUp = new AbortController();
    const training = model.train({ tasks: TASKS, seed: 1 }, giveUp.signal);
    assert.deepEqual(await model.train({ tasks: TASKS, seed: 1 }, giveUp.signal), {
      ok: false,
      error: 'another training is under way',
    });
    assert.equal(model.predict([curve], 80_000, GEOMETRY).mode, 'ASSISTED');
    giveUp.abort();
    assert.deepEqual(await training, { ok: false, error: 'the training was given up' });
    assert.deepEqual(await model.train({ tasks: TASKS, seed: 1 }, giveUp.signal), {
      ok: false,
      error: 'the training was given up',
    });
  });

  test('says why it can not train, and may be asked again', async () => {
    await using model = await NeuralModel.open();
    for (let i = 0; i < 2; i++) {
      const answer = await model.train({ tasks: [], seed: 1 }, new AbortController().signal);
      assert.ok(!answer.ok && /fewer than two tasks/.test(answer.error), JSON.stringify(answer));
    }
  });

  test('ends its training when it is stopped, and starts no other', async () => {
    const model = await NeuralModel.open();
    const { signal } = new AbortController();
    const training = model.train({ tasks: TASKS, seed: 1 }, signal);
    await model.stop();
    await model.stop();
    assert.deepEqual(await training, { ok: false, error: 'the training was given up' });
    assert.equal((await model.train({ tasks: TASKS, seed: 1 }, signal)).ok, false);
    assert.equal(model.predict([curve], 50_000, GEOMETRY).mode, 'BENCHMARKED');
  });
});

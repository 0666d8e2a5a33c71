import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelThread } from '../../../../predictor/model/model-thread.ts';
import { shippedWeights } from '../../../../predictor/model/shipped.ts';
import { decodeWeights, encodeWeights } from '../../../../predictor/model/weights-file.ts';
import type { Prediction } from '../../../../predictor/types.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { curveOf, GEOMETRY } from './fixtures.ts';

const curve = curveOf(50_000, (size) => 16 * size, [1, 4, 16]);

async function open() {
  const clock = new FakeClock();
  const complaints: string[] = [];
  const thread = await ModelThread.open(
    { idleMs: 1000 },
    { after: (delayMs, task) => clock.after(delayMs, task), onFallback: (reason) => complaints.push(reason) },
  );
  return { clock, complaints, thread };
}

/** Until TensorFlow answers. */
async function untilReady(thread: ModelThread): Promise<void> {
  while (thread.info().backend === null) {
    await thread.predict([curve], 80_000, GEOMETRY);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** By whatever they were computed. */
function alike(actual: Prediction, expected: Prediction): void {
  const numbers = ({ slowdown, quantiles, tail }: Prediction): number[] => [
    ...slowdown,
    ...quantiles.flatMap((quantile) => quantile.slowdown),
    ...(tail?.exceeds.flat() ?? []),
  ];
  const [left, right] = [numbers(actual), numbers(expected)];
  assert.equal(left.length, right.length);
  const worst = Math.max(...left.map((value, i) => Math.abs(value - (right[i] ?? Number.NaN))));
  assert.ok(worst < 1e-3, `${worst}`);
}

/** The shipped weights with another bias: other answers. */
async function otherWeights(): Promise<Uint8Array> {
  const decoded = decodeWeights(await shippedWeights());
  assert.ok(decoded.ok);
  const ensemble = decoded.value.ensemble.map((network) =>
    network.map((layer, i) =>
      i < network.length - 1 ? layer : { ...layer, bias: layer.bias.map((b) => b + 3) },
    ),
  );
  return encodeWeights({ ...decoded.value, ensemble });
}

describe('the thread of the model', () => {
  test('starts with the first question, and rests when it is idle', async () => {
    const { clock, complaints, thread } = await open();
    await using _ = thread;
    assert.deepEqual([thread.active, thread.info().version, thread.info().backend], [false, 0, null]);
    assert.match(thread.info().sha256 ?? '', /^[0-9a-f]{64}$/);
    assert.equal((await thread.predict([], 80_000, GEOMETRY)).mode, 'INOP');
    assert.equal(thread.active, false, 'nothing is asked about nothing');
    const atOnce = await thread.predict([curve], 80_000, GEOMETRY);
    assert.equal(atOnce.mode, 'ASSISTED');
    assert.deepEqual([thread.active, thread.info().backend], [true, null], 'answered before it is ready');
    await untilReady(thread);
    alike(await thread.predict([curve], 80_000, GEOMETRY), atOnce);
    clock.advance(1000);
    assert.equal(thread.active, false);
    alike(await thread.predict([curve], 80_000, GEOMETRY), atOnce);
    assert.deepEqual(complaints, []);
  });

  test('takes other weights into use, keeps them over a rest, and goes back', async () => {
    const { clock, thread } = await open();
    await using _ = thread;
    const shipped = await thread.predict([curve], 80_000, GEOMETRY);
    const loaded = await thread.load(4, await otherWeights());
    assert.ok(loaded.ok, JSON.stringify(loaded));
    assert.equal(loaded.value.version, 4);
    const other = await thread.predict([curve], 80_000, GEOMETRY);
    assert.notDeepEqual(other, shipped);
    clock.advance(1000);
    alike(await thread.predict([curve], 80_000, GEOMETRY), other);
    assert.ok((await thread.loadShipped()).ok);
    assert.equal(thread.info().version, 0);
    alike(await thread.predict([curve], 80_000, GEOMETRY), shipped);
  });

  test('refuses damaged weights with a sentence, and goes on with those before', async () => {
    const { complaints, thread } = await open();
    await using _ = thread;
    const before = await thread.predict([curve], 80_000, GEOMETRY);
    const bytes = await otherWeights();
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    const refused = await thread.load(5, bytes);
    assert.ok(!refused.ok && /damaged/.test(refused.error));
    assert.equal(thread.info().version, 0);
    alike(await thread.predict([curve], 80_000, GEOMETRY), before);
    assert.deepEqual(complaints, []);
  });

  test('gives a training up when nobody wants it, and answers meanwhile', async () => {
    const { thread } = await open();
    await using _ = thread;
    const giveUp = new AbortController();
    const tasks = [8, 16, 24].map((bytes) => ({
      taskId: `t${bytes}`,
      curves: [20_000, 50_000, 100_000].map((size) => curveOf(size, (each) => bytes * each)),
    }));
    const training = thread.train({ tasks, seed: 1 }, giveUp.signal);
    assert.equal((await thread.train({ tasks, seed: 1 }, giveUp.signal)).ok, false, 'one at a time');
    assert.equal((await thread.predict([curve], 80_000, GEOMETRY)).mode, 'ASSISTED');
    giveUp.abort();
    assert.deepEqual(await training, { ok: false, error: 'the training was given up' });
  });

  test('says why it can not train', async () => {
    const { thread } = await open();
    await using _ = thread;
    const answer = await thread.train({ tasks: [], seed: 1 }, new AbortController().signal);
    assert.ok(!answer.ok && /fewer than two tasks/.test(answer.error));
  });

  test('is no more after it was stopped, and what it knew answers without it', async () => {
    const { thread } = await open();
    await thread.stop();
    await thread.stop();
    assert.equal((await thread.predict([curve], 50_000, GEOMETRY)).mode, 'BENCHMARKED');
    assert.equal(thread.active, false);
    assert.equal((await thread.load(1, await shippedWeights())).ok, false);
  });
});

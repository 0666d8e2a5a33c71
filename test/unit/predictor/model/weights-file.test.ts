import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeWeights, encodeWeights, type ModelWeights } from '../../../../predictor/model/weights-file.ts';

const weights: ModelWeights = {
  featureVersion: 7,
  thresholds: [1.05, 2],
  mean: Float32Array.of(1, 2, 3),
  deviation: Float32Array.of(0.5, 1, 2),
  ensemble: [
    [
      { inputs: 3, outputs: 4, weights: new Float32Array(12).fill(0.25), bias: new Float32Array(4) },
      { inputs: 4, outputs: 2, weights: new Float32Array(8).fill(-1), bias: Float32Array.of(1, -1) },
    ],
  ],
};

describe('a weights file', () => {
  test('gives back what was written, from any place in a larger buffer', () => {
    const bytes = encodeWeights(weights);
    assert.deepEqual(decodeWeights(bytes), { ok: true, value: weights });
    const larger = new Uint8Array(bytes.length + 3);
    larger.set(bytes, 3);
    assert.deepEqual(decodeWeights(larger.subarray(3)), { ok: true, value: weights });
  });

  test('that is damaged anywhere is refused with a sentence', () => {
    const bytes = encodeWeights(weights);
    for (let at = 8; at < bytes.length; at += 1) {
      const bad = Uint8Array.from(bytes);
      bad[at] = (bad[at] ?? 0) ^ 1;
      const decoded = decodeWeights(bad);
      assert.ok(!decoded.ok && /damaged/.test(decoded.error), `byte ${at}`);
    }
    for (const length of [0, 8, 20, bytes.length - 1]) {
      assert.equal(decodeWeights(bytes.subarray(0, length)).ok, false, `${length} bytes`);
    }
  });

  test('of another program or version is told apart from a damaged one', () => {
    const bytes = encodeWeights(weights);
    bytes.set(new TextEncoder().encode('FSCHEDW2'));
    const decoded = decodeWeights(bytes);
    assert.ok(!decoded.ok && /no weights file of this version/.test(decoded.error), JSON.stringify(decoded));
  });

  test('with more layers or networks than any model has is refused, small as it may be', () => {
    const thin = { inputs: 1, outputs: 1, weights: new Float32Array(1), bias: new Float32Array(1) };
    const one = {
      mean: new Float32Array(1),
      deviation: Float32Array.of(1),
      featureVersion: 1,
      thresholds: [2],
    };
    const fits = (networks: number, layers: number) =>
      decodeWeights(
        encodeWeights({ ...one, ensemble: Array.from({ length: networks }, () => Array(layers).fill(thin)) }),
      ).ok;
    assert.deepEqual([fits(16, 8), fits(17, 1), fits(1, 9)], [true, false, false]);
  });

  test('with numbers that are none is refused though its checksum is right', () => {
    const [network] = weights.ensemble;
    const spoilt = { ...weights, mean: Float32Array.of(1, Number.NaN, 3), ensemble: [network ?? []] };
    assert.equal(decodeWeights(encodeWeights(spoilt)).ok, false);
    assert.equal(decodeWeights(encodeWeights({ ...weights, deviation: new Float32Array(3) })).ok, false);
  });
});

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { chooseWays, exceedings } from '../../../../predictor/choose-ways.ts';
import { chooseWitnesses, featuresOf } from '../../../../predictor/model/features.ts';
import { ModelPredictor } from '../../../../predictor/model/model-predictor.ts';
import { randomNetwork } from '../../../../predictor/model/network.ts';
import { PlainNetworks } from '../../../../predictor/model/plain-network.ts';
import { shippedFamilies, shippedWeights } from '../../../../predictor/model/shipped.ts';
import { openBackend } from '../../../../predictor/model/tensor-backend.ts';
import { decodeWeights, type ModelWeights, type Network } from '../../../../predictor/model/weights-file.ts';
import { randomFrom } from '../../../../predictor/random.ts';
import type { MeasuredCurve, Prediction } from '../../../../predictor/types.ts';
import { LoadedNetworks } from '../../../support/loaded-networks.ts';
import { curveOf, GEOMETRY, timeOf } from './fixtures.ts';

async function weights(): Promise<ModelWeights> {
  const decoded = decodeWeights(await shippedWeights());
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error);
  return decoded.value;
}

/** What every prediction promises. */
function assertSound({ slowdown, quantiles, tail, fullCacheSeconds }: Prediction, ways: number): void {
  const curves = [slowdown, ...quantiles.map((quantile) => quantile.slowdown)];
  for (const curve of curves) {
    assert.equal(curve.length, ways);
    for (const [i, value] of curve.entries()) {
      assert.ok(Number.isFinite(value) && value >= 1, `${value}`);
      assert.ok(value <= (curve[i - 1] ?? Number.POSITIVE_INFINITY));
    }
    assert.equal(curve.at(-1), 1);
  }
  for (const [i, { level, slowdown: curve }] of quantiles.entries()) {
    const below = quantiles[i - 1];
    if (below === undefined) continue;
    assert.ok(level > below.level);
    for (const [way, value] of curve.entries()) assert.ok(value >= (below.slowdown[way] ?? 0));
  }
  assert.ok(tail?.exceeds.flat().every((value) => value >= 0 && value <= 1));
  assert.ok(fullCacheSeconds !== null && Number.isFinite(fullCacheSeconds) && fullCacheSeconds > 0);
}

describe('the shipped model', () => {
  let predictor: ModelPredictor;
  before(async () => {
    predictor = new ModelPredictor(await weights());
  });

  const bytesAt = (size: number): number => 16 * size;

  test('agrees with what was measured at the size asked for', () => {
    const curve = curveOf(50_000, bytesAt, [1, 4, 7, 16]);
    const prediction = predictor.predict([curve], 50_000, GEOMETRY);
    assert.equal(prediction.mode, 'BENCHMARKED');
    assertSound(prediction, 16);
    for (const { ways, seconds } of curve.points) {
      const truth = (seconds[0] ?? 0) / timeOf(bytesAt(50_000), 16, GEOMETRY);
      assert.ok(Math.abs((prediction.slowdown[ways - 1] ?? 0) - truth) < 1e-6, `${ways} ways`);
      const risk = exceedings(prediction, 1.05)[ways - 1];
      assert.equal(risk, truth > 1.05 ? 1 : 0, `${ways} ways: a fact leaves no risk`);
    }
  });

  test('chooses what a curve that is known in full needs', () => {
    // 800,000 bytes are 6.1 ways; with 6 of them 1.7 % of the accesses miss.
    const curve = curveOf(50_000, bytesAt);
    assert.equal(chooseWays(predictor.predict([curve], 50_000, GEOMETRY)).ways, 6);
    const flat = curveOf(50_000, bytesAt, undefined, 0);
    assert.equal(chooseWays(predictor.predict([flat], 50_000, GEOMETRY)).ways, 1);
  });

  test('is less sure of a size that was not measured, and gives a larger input no less', () => {
    const known = [curveOf(50_000, bytesAt)];
    const spread = ({ quantiles }: Prediction): number =>
      (quantiles.at(-1)?.slowdown ?? []).reduce((sum, high, i) => {
        return sum + high - (quantiles[0]?.slowdown[i] ?? high);
      }, 0);
    const there = predictor.predict(known, 50_000, GEOMETRY);
    const elsewhere = predictor.predict(known, 80_000, GEOMETRY);
    assert.deepEqual([there.mode, elsewhere.mode], ['BENCHMARKED', 'ASSISTED']);
    assert.ok(spread(elsewhere) > spread(there));
    assert.ok(chooseWays(elsewhere).ways >= chooseWays(there).ways);
  });

  test('serves machines with other ways, many or one', () => {
    const known = [curveOf(50_000, bytesAt)];
    for (const geometry of [
      { ways: 1, wayBytes: 2 ** 21 },
      { ways: 12, wayBytes: 262_144 },
      { ways: 11, wayBytes: 1_441_792 },
      { ways: 32, wayBytes: 65_536 },
    ]) {
      assertSound(predictor.predict(known, 50_000, geometry), geometry.ways);
      assertSound(predictor.predict(known, 90_000, geometry), geometry.ways);
    }
  });

  test('knows nothing of a task without evidence, and little of one whose runs nothing held', () => {
    assert.equal(predictor.predict([], 1, GEOMETRY).mode, 'INOP');
    const run: MeasuredCurve = {
      inputSize: 50_000,
      wayBytes: GEOMETRY.wayBytes,
      profiler: 'wallclock',
      origin: 'run',
      points: [{ ways: 4, seconds: [0.02] }],
    };
    assert.equal(predictor.predict([run], 50_000, GEOMETRY).mode, 'INOP');
  });

  test('places a task that was never benchmarked only by runs that leave little doubt', () => {
    const runs = (missCost: number): MeasuredCurve => ({
      ...curveOf(50_000, bytesAt, [1, 2, 16], missCost),
      profiler: 'resctrl',
      origin: 'run',
    });
    assert.equal(predictor.predict([runs(0)], 50_000, GEOMETRY).mode, 'ASSISTED');
    const once = { ...runs(2), points: runs(2).points.slice(2) };
    assert.equal(predictor.predict([once], 50_000, GEOMETRY).mode, 'INOP');
  });

  test('whatever it is given: a sound prediction or none, never NaN, never a crash', () => {
    const anyNumber = fc.oneof(
      fc.double(),
      fc.double({ min: 1e-9, max: 1e3, noNaN: true }),
      fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER),
    );
    const curve = fc.record({
      inputSize: fc.oneof(anyNumber, fc.nat(1e6)),
      wayBytes: fc.oneof(anyNumber, fc.constantFrom(131_072, 1)),
      profiler: fc.constantFrom('cachegrind', 'resctrl', 'wallclock', 'other'),
      origin: fc.constantFrom<('benchmark' | 'run')[]>('benchmark', 'run'),
      weight: fc.double({ min: 0.1, max: 1, noNaN: true }),
      points: fc.array(
        fc.record({
          ways: fc.oneof(anyNumber, fc.integer({ min: 1, max: 40 })),
          seconds: fc.array(anyNumber, { maxLength: 3 }),
        }),
        { maxLength: 8 },
      ),
    });
    const size = fc.oneof(fc.nat(1e6), fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER));
    fc.assert(
      fc.property(
        fc.array(curve, { maxLength: 4 }),
        size,
        fc.integer({ min: 1, max: 20 }),
        (known, asked, ways) => {
          const prediction = predictor.predict(known, asked, { ways, wayBytes: 131_072 });
          if (prediction.mode === 'INOP') assert.deepEqual(prediction.slowdown, []);
          else assertSound(prediction, ways);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('computes what TensorFlow computes, within float tolerance', async (t) => {
  const loaded = await weights();
  const questions = (await shippedFamilies()).slice(0, 5).flatMap(({ curves, geometry }) => {
    const [first, second] = curves;
    if (first === undefined || second === undefined) return [];
    const witnesses = chooseWitnesses([first], second.inputSize, geometry);
    assert.ok(witnesses);
    return [featuresOf(witnesses, second.inputSize, geometry)];
  });
  // One after the other: TensorFlow has one back end at a time.
  const answersOf = async (name: 'wasm' | 'cpu'): Promise<number[]> => {
    const networks = new LoadedNetworks(loaded, (await openBackend(name)).tf);
    const numbers = questions.flatMap((features) => [...networks.probabilities(features)]);
    networks.dispose();
    return numbers;
  };
  const plain = new PlainNetworks(loaded);
  const own = questions.flatMap((features) => [...plain.probabilities(features)]);
  const others = [await answersOf('wasm'), await answersOf('cpu')];
  assert.ok(own.length > 500);
  const worst = Math.max(
    ...others.flatMap((other) => own.map((value, i) => Math.abs(value - (other[i] ?? Number.NaN)))),
  );
  t.diagnostic(`largest difference of a probability: ${worst}`);
  assert.ok(worst < 1e-5);
});

test('layers of any width, and any number of rows after any other', () => {
  const network = (sizes: readonly number[], seed: number): Network => randomNetwork(sizes, randomFrom(seed));
  const width = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(
      fc.array(width, { minLength: 2, maxLength: 4 }),
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
      fc.nat(1e6),
      (sizes, rowCounts, seed) => {
        const inputs = sizes[0] ?? 0;
        const ensemble = [network(sizes, seed), network(sizes, seed + 1)];
        const plain = new PlainNetworks({
          mean: new Float32Array(inputs).fill(1),
          deviation: new Float32Array(inputs).fill(2),
          ensemble,
        });
        for (const rows of rowCounts) {
          const values = Float32Array.from({ length: rows * inputs }, (_, i) => Math.sin(i));
          const expected = Array.from({ length: rows }, (_, row) => {
            const row0 = values.slice(row * inputs, (row + 1) * inputs).map((value) => (value - 1) / 2);
            const outputs = ensemble.map((layers) => forward(layers, row0));
            return (outputs[0] ?? []).map((value, i) => (value + (outputs[1]?.[i] ?? 0)) / 2);
          }).flat();
          const actual = plain.probabilities({ rows, columns: inputs, values });
          assert.equal(actual.length, expected.length);
          for (const [i, value] of actual.entries()) assert.ok(Math.abs(value - (expected[i] ?? 0)) < 1e-5);
        }
      },
    ),
  );
});

/** As it is written in a textbook. */
function forward(layers: Network, inputs: Iterable<number>): number[] {
  let signal = [...inputs];
  for (const [depth, { outputs, weights, bias }] of layers.entries()) {
    signal = Array.from({ length: outputs }, (_, output) => {
      const sum = signal.reduce((all, value, i) => all + value * (weights[i * outputs + output] ?? 0), 0);
      return sum + (bias[output] ?? 0);
    });
    if (depth < layers.length - 1) signal = signal.map((value) => Math.max(0, value));
  }
  return signal.map((value) => 1 / (1 + Math.exp(-value)));
}

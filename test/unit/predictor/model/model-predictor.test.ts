import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { chooseWays, exceedings } from '../../../../predictor/choose-ways.ts';
import { ModelPredictor } from '../../../../predictor/model/model-predictor.ts';
import { shippedFamilies, shippedWeights } from '../../../../predictor/model/shipped.ts';
import { openBackend } from '../../../../predictor/model/tensor-backend.ts';
import { decodeWeights, type ModelWeights } from '../../../../predictor/model/weights-file.ts';
import type { MeasuredCurve, Prediction } from '../../../../predictor/types.ts';
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
    predictor = new ModelPredictor(await weights(), await openBackend());
  });
  after(() => predictor.dispose());

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

test('the back ends agree within float tolerance, and so does the network without any', async (t) => {
  const loaded = await weights();
  const families = (await shippedFamilies()).slice(0, 5);
  // One after the other: TensorFlow has one back end at a time.
  const answersOf = async (name: 'wasm' | 'cpu' | null): Promise<number[]> => {
    const predictor = new ModelPredictor(loaded, name && (await openBackend(name)));
    const numbers = families.flatMap(({ curves, geometry }) => {
      const [first, second] = curves;
      if (first === undefined || second === undefined) return [];
      return predictor.predict([first], second.inputSize, geometry).tail?.exceeds.flat() ?? [];
    });
    predictor.dispose();
    return numbers;
  };
  const wasm = await answersOf('wasm');
  const cpu = await answersOf('cpu');
  const none = await answersOf(null);
  assert.ok(wasm.length > 500);
  const worst = Math.max(
    ...[cpu, none].flatMap((other) => wasm.map((value, i) => Math.abs(value - (other[i] ?? Number.NaN)))),
  );
  t.diagnostic(`largest difference of a probability: ${worst}`);
  assert.ok(worst < 1e-4);
});

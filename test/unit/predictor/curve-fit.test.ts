import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chooseWays } from '../../../predictor/choose-ways.ts';
import { CurveFitPredictor } from '../../../predictor/eval/baselines/curve-fit.ts';
import type { MeasuredCurve } from '../../../predictor/types.ts';

const MIB = 1024 * 1024;
const geometry = { ways: 16, wayBytes: MIB };
const predictor = new CurveFitPredictor();

function curve(inputSize: number, time: (ways: number) => number, wayBytes = MIB): MeasuredCurve {
  return { inputSize, wayBytes, points: [1, 2, 4, 8, 16].map((ways) => ({ ways, seconds: [time(ways)] })) };
}
const original = (ways: number): number => 1 + 2 / (1 + Math.sqrt(ways - 1));

describe('prediction', () => {
  test('never benchmarked: INOP', () => {
    assert.equal(predictor.predict([], 10, geometry).mode, 'INOP');
    const hollow = {
      inputSize: 10,
      wayBytes: MIB,
      points: [
        { ways: 1, seconds: [] },
        { ways: 2, seconds: [0, Number.NaN] },
      ],
    };
    assert.equal(predictor.predict([hollow], 10, geometry).mode, 'INOP');
  });

  test('this size: BENCHMARKED; another: ASSISTED by the nearest in ratio', () => {
    const known = [curve(1, () => 1), curve(1_000, original)];
    assert.equal(predictor.predict(known, 1_000, geometry).mode, 'BENCHMARKED');
    const assisted = predictor.predict(known, 400, geometry);
    assert.equal(assisted.mode, 'ASSISTED');
    assert.ok((assisted.slowdown[0] ?? 0) > 1.5);
    assert.equal(predictor.predict(known, 2, geometry).slowdown[0], 1);
  });

  test('of two profiles of one size the one that saw the cache is believed, of several samples the mean', () => {
    const blind = { ...curve(5, () => 1), profiler: 'wallclock' };
    const points = curve(5, original).points.map(({ ways, seconds: [time = 0] }) => ({
      ways,
      seconds: [time * 0.8, time, time * 1.2],
    }));
    for (const profiler of ['cachegrind', 'resctrl']) {
      const seeing = { ...curve(5, original), points, profiler };
      for (const known of [
        [blind, seeing],
        [seeing, blind],
      ]) {
        const { slowdown } = predictor.predict(known, 5, geometry);
        assert.ok(Math.abs((slowdown[0] ?? 0) - original(1) / original(16)) < 1e-9);
      }
    }
    const far = { ...curve(500, original), profiler: 'cachegrind' };
    assert.equal(predictor.predict([far, blind], 5, geometry).mode, 'BENCHMARKED');
  });

  test('recovers a curve of the family, relative to the full cache', () => {
    const { slowdown } = predictor.predict([curve(5, original)], 5, geometry);
    for (const [i, value] of slowdown.entries())
      assert.ok(Math.abs(value - original(i + 1) / original(16)) < 1e-9);
  });

  test('a short function is treated like a long one', () => {
    const long = predictor.predict([curve(5, (ways) => 60 * original(ways))], 5, geometry);
    const short = predictor.predict([curve(5, (ways) => 0.001 * original(ways))], 5, geometry);
    assert.equal(chooseWays(long).ways, chooseWays(short).ways);
    assert.ok(chooseWays(short).ways > 1);
  });

  test('a profile of a machine with smaller ways serves through bytes', () => {
    const bytes = (ways: number, wayBytes: number): number => original((ways * wayBytes) / MIB);
    const elsewhere = { ...curve(5, () => 0), wayBytes: 2 * MIB };
    const points = elsewhere.points.map(({ ways }) => ({ ways, seconds: [bytes(ways, 2 * MIB)] }));
    const { slowdown } = predictor.predict([{ ...elsewhere, points }], 5, geometry);
    assert.ok(Math.abs((slowdown[1] ?? 0) - original(2) / original(16)) < 1e-9);
  });

  test('whatever was measured: finite, at least 1, never rising, 1 at the end', () => {
    const samples = fc.array(
      fc.record({
        ways: fc.integer({ min: 1, max: 32 }),
        seconds: fc.array(fc.double({ min: -1, max: 1e6 }), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 10 },
    );
    fc.assert(
      fc.property(samples, (points) => {
        const { slowdown } = predictor.predict([{ inputSize: 1, wayBytes: MIB, points }], 1, geometry);
        for (const [i, value] of slowdown.entries()) {
          assert.ok(Number.isFinite(value) && value >= 1);
          assert.ok(value <= (slowdown[i - 1] ?? Number.POSITIVE_INFINITY) + 1e-12);
        }
        if (slowdown.length > 0) assert.ok(Math.abs((slowdown.at(-1) ?? 0) - 1) < 1e-9);
      }),
    );
  });
});

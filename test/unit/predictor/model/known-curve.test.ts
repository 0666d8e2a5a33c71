import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownCurve } from '../../../../predictor/model/known-curve.ts';
import type { MeasuredCurve } from '../../../../predictor/types.ts';

const geometry = { ways: 16, wayBytes: 1024 };
const curve = (points: Record<number, number[]>, more: Partial<MeasuredCurve> = {}): MeasuredCurve => ({
  inputSize: 10,
  wayBytes: 1024,
  profiler: 'cachegrind',
  points: Object.entries(points).map(([ways, seconds]) => ({ ways: Number(ways), seconds })),
  ...more,
});
const close = (actual: number | undefined, expected: number): void =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual}, not ${expected}`);

describe('KnownCurve', () => {
  test('bounds what was not measured by its neighbours', () => {
    const known = KnownCurve.of(curve({ 2: [4], 8: [2], 16: [1] }), geometry);
    assert.ok(known);
    const { low, high, middle } = known.at(5);
    close(low, Math.log(2));
    close(high, Math.log(4));
    close(middle, (Math.log(2) + Math.log(4)) / 2);
    close(known.at(8).low, Math.log(2));
    close(known.at(8).high, Math.log(2));
    close(known.at(1).low, Math.log(4));
    close(known.at(1).high, Math.log(4) + 1);
    close(known.at(99).middle, 0);
  });

  test('follows the lines of its neighbours as far as the bounds let it', () => {
    const known = KnownCurve.of(curve({ 1: [5], 4: [4], 12: [1], 16: [1] }), geometry);
    close(known?.at(6).fromLeft, Math.log(4 - 2 / 3));
    close(known?.at(11).fromLeft, Math.log(4 - 7 / 3));
    close(known?.at(6).fromRight, 0);
  });

  test('never rises, whatever was measured, and takes the mean of samples', () => {
    const known = KnownCurve.of(curve({ 1: [3, 5], 2: [1], 4: [3], 16: [2] }), geometry);
    assert.ok(known);
    close(known.levels[0], Math.log(2));
    for (const index of [1, 2, 3]) close(known.levels[index], 0);
  });

  test('serves another machine through bytes', () => {
    const known = KnownCurve.of(curve({ 2: [4], 4: [2], 8: [1] }, { wayBytes: 2048 }), geometry);
    assert.deepEqual(known?.ways, [4, 8, 16]);
    const smaller = KnownCurve.of(curve({ 2: [4], 32: [1] }, { wayBytes: 1024 }), geometry);
    close(smaller?.fullSeconds, 4 - (3 * 14) / 30);
  });

  test('of times that say nothing of cache knows the time only', () => {
    const known = KnownCurve.of(curve({ 1: [3], 16: [1] }, { profiler: 'wallclock' }), geometry);
    assert.deepEqual([known?.ways, known?.fullSeconds, known?.seesCache], [[16], 2, false]);
  });

  test('leaves out what can not be, and is null when nothing is left', () => {
    const bad = { 1: [Number.NaN, -1, 0], 2: [], 4: [Number.POSITIVE_INFINITY], 16: [1] };
    assert.deepEqual(KnownCurve.of(curve(bad), geometry)?.ways, [16]);
    assert.equal(KnownCurve.of(curve({ 1: [0] }), geometry), null);
    assert.equal(KnownCurve.of(curve({ 1: [1] }, { wayBytes: 0 }), geometry), null);
    assert.equal(KnownCurve.of(curve({ 1: [1] }, { inputSize: -1 }), geometry), null);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  describeDrift,
  type EvidenceProfile,
  evidenceOf,
  MOST_CURVES,
  MOST_SAMPLES,
} from '../../../predictor/evidence.ts';
import type { EvidenceRuns, EvidenceTime } from '../../../predictor/watched-runs.ts';

const DAY = 86_400_000;
const LLC = { ways: 16, wayBytes: 1024, cpuModel: 'a' };

const profile = (over: Partial<EvidenceProfile> = {}): EvidenceProfile => ({
  inputSize: 100,
  profiler: 'cachegrind',
  wayBytes: 1024,
  cpuModel: 'a',
  measuredAtMs: 0,
  points: [
    { ways: 16, seconds: [1] },
    { ways: 1, seconds: [3] },
  ],
  ...over,
});

const times = (seconds: readonly number[], over: Partial<EvidenceTime> = {}): EvidenceTime[] =>
  seconds.map((each, i) => ({
    seconds: each,
    ways: 4,
    llc: LLC,
    enforcement: 'enforced',
    atMs: 1_000 + i,
    ...over,
  }));
const runs = (list: readonly EvidenceTime[], over: Partial<EvidenceRuns> = {}): EvidenceRuns => ({
  inputSize: 100,
  times: list,
  change: null,
  ...over,
});
const many = (count: number, seconds: number): number[] => Array<number>(count).fill(seconds);

describe('evidence', () => {
  test('a profile is a curve, in the order of its ways', () => {
    const { curves, drift } = evidenceOf([profile()], [], 5);
    assert.deepEqual(curves, [
      {
        inputSize: 100,
        profiler: 'cachegrind',
        wayBytes: 1024,
        origin: 'benchmark',
        weight: 1,
        points: [
          { ways: 1, seconds: [3] },
          { ways: 16, seconds: [1] },
        ],
      },
    ]);
    assert.equal(drift, null);
  });

  test('runs in held ways make a curve; others only tell the time', () => {
    const list = [
      ...times([2, 2.1], { ways: 4 }),
      ...times([1.5], { ways: 8 }),
      ...times([5], { enforcement: 'shared' }),
    ];
    const { curves } = evidenceOf([], [runs(list)], 5_000);
    const shown = curves.map(({ profiler, origin, points }) => [
      profiler,
      origin,
      points.map(({ ways }) => ways),
    ]);
    assert.deepEqual(shown.toSorted(), [
      ['run', 'run', [4, 8]],
      ['wallclock', 'run', [4]],
    ]);
  });

  test('machines are kept apart, and wild times are dropped', () => {
    const other = { ...LLC, cpuModel: 'b' };
    const list = [...times([1, 1.01, 0.99, 1, 30]), ...times([9], { llc: other })];
    const { curves } = evidenceOf([], [runs(list)], 5_000);
    assert.deepEqual(
      curves
        .flatMap(({ points }) => points.map(({ seconds }) => seconds))
        .toSorted((a, b) => b.length - a.length),
      [[1, 1.01, 0.99, 1], [9]],
    );
  });

  test('a benchmark is not crowded out by newer times that say nothing of cache', () => {
    const free = Array.from({ length: 80 }, (_, inputSize) =>
      runs(times([1], { enforcement: 'unenforced', atMs: 9_000 }), { inputSize }),
    );
    const { curves } = evidenceOf([profile()], free, 10_000);
    assert.equal(curves.length, MOST_CURVES);
    assert.equal(curves[0]?.profiler, 'cachegrind');
  });

  const change = { sinceMs: 10_000, ways: 4, held: true, beforeSeconds: 1, afterSeconds: 2 };

  test('what was measured before a change fades with the days and the runs, but the task stays benchmarked', () => {
    const since = times(many(4, 2), { atMs: 10_001 });
    const weightAt = (nowMs: number, count = 4): number | undefined => {
      const after = [...since, ...times(many(count - 4, 2), { atMs: 10_002 })];
      const { curves } = evidenceOf([profile()], [runs([...times([1]), ...after], { change })], nowMs);
      return curves.find(({ origin }) => origin === 'benchmark')?.weight;
    };
    const fresh = weightAt(10_001) ?? 0;
    assert.ok(fresh > 0.8 && fresh < 1);
    assert.ok(Math.abs((weightAt(10_000 + DAY) ?? 0) - fresh / 2) < 0.001);
    assert.ok((weightAt(10_001, 20) ?? 0) < fresh);
    assert.equal(weightAt(10_000 + 30 * DAY), 0.125, 'better than nothing');
    const fresher = profile({ measuredAtMs: 20_000 });
    const again = evidenceOf([profile(), fresher], [runs(since, { change })], 10_000 + 30 * DAY);
    assert.deepEqual(
      again.curves.filter(({ origin }) => origin === 'benchmark').map(({ weight }) => weight),
      [1],
    );
    assert.equal(again.drift, null, 'it was benchmarked again');
  });

  test('a change where nothing held the ways casts doubt on what saw the cache, but does not silence it', () => {
    const unheld = { ...change, held: false };
    const list = times(many(60, 2), { atMs: 10_001, enforcement: 'unenforced' });
    const known = [profile(), profile({ profiler: 'wallclock' })];
    const { curves } = evidenceOf(known, [runs(list, { change: unheld })], 10_000 + 30 * DAY);
    assert.deepEqual(
      curves.filter(({ origin }) => origin === 'benchmark').map(({ profiler, weight }) => [profiler, weight]),
      [['cachegrind', 0.5]],
    );
  });

  test('before and after a change are never one curve', () => {
    const list = [...times([1, 1], { ways: 8 }), ...times([1, 1]), ...times([2, 2], { atMs: 10_000 })];
    const { curves, drift } = evidenceOf([], [runs(list, { change })], 10_010);
    assert.deepEqual(
      curves.map(({ points }) => points.map(({ ways, seconds }) => [ways, seconds])),
      [
        [[4, [2, 2]]],
        [
          [4, [1, 1]],
          [8, [1, 1]],
        ],
      ],
    );
    assert.deepEqual(drift, { ...change, inputSize: 100 });
    assert.match(
      describeDrift({ ...change, inputSize: 100 }),
      /input size 100 with 4 ways it is 2 times as slow/,
    );
  });

  test('a change at one size casts doubt on the others, unless runs there go on as before', () => {
    const changed = runs(times(many(5, 2), { atMs: 10_000 }), { change });
    const other = profile({ inputSize: 7 });
    const weightOf = (more: readonly EvidenceRuns[]): number | undefined =>
      evidenceOf([other], [changed, ...more], 10_000).curves.find(({ profiler }) => profiler === 'cachegrind')
        ?.weight;
    assert.ok((weightOf([]) ?? 1) < 1);
    assert.equal(weightOf([runs(times([1, 1, 1], { atMs: 10_001 }), { inputSize: 7 })]), 1);
  });

  test('a profile in real seconds is what runs are compared with; a simulated one is not', () => {
    const slow = runs(times(many(5, 2)));
    const points = [{ ways: 4, seconds: [1, 1.02, 0.98] }];
    assert.equal(evidenceOf([profile({ points })], [slow], 2_000).drift, null);
    const drift = evidenceOf([profile({ points, profiler: 'resctrl' })], [slow], 2_000).drift;
    assert.deepEqual([drift?.beforeSeconds, drift?.afterSeconds, drift?.sinceMs], [1, 2, 1_000]);
    const elsewhere = profile({ points, profiler: 'resctrl', cpuModel: 'b' });
    assert.equal(evidenceOf([elsewhere], [slow], 2_000).drift, null);
    const later = profile({ points, profiler: 'resctrl', measuredAtMs: 1_500 });
    assert.equal(evidenceOf([later], [slow], 2_000).drift, null);
  });
});

const number = fc.oneof(
  fc.double({ min: 1e-6, max: 1e4, noNaN: true }),
  fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY),
);
const llc = fc.record({
  ways: fc.constantFrom(8, 16),
  wayBytes: fc.constantFrom(0, 1024, 2048),
  cpuModel: fc.constantFrom('a', 'b'),
});
const time = fc.record({
  seconds: number,
  ways: fc.integer({ min: 0, max: 4 }),
  llc,
  enforcement: fc.constantFrom('enforced', 'shared', 'unenforced'),
  atMs: fc.oneof(fc.nat(3 * DAY), fc.constant(Number.NaN)),
});
const anyChange = fc.record({
  sinceMs: fc.nat(3 * DAY),
  ways: fc.integer({ min: 1, max: 4 }),
  held: fc.boolean(),
  beforeSeconds: fc.constantFrom(1, 2),
  afterSeconds: fc.constantFrom(3, 4),
});
const anyRuns = fc.uniqueArray(
  fc.record({
    inputSize: fc.integer({ min: 0, max: 5 }),
    times: fc.array(time, { maxLength: 64 }),
    change: fc.option(anyChange, { nil: null }),
  }),
  { selector: ({ inputSize }) => inputSize, maxLength: 5 },
);
const anyProfiles = fc.array(
  fc.record({
    inputSize: fc.integer({ min: 0, max: 90 }),
    profiler: fc.constantFrom('cachegrind', 'resctrl', 'wallclock'),
    wayBytes: fc.constantFrom(0, 1024, 2048),
    cpuModel: fc.constantFrom('a', 'b'),
    measuredAtMs: fc.nat(3 * DAY),
    points: fc.array(
      fc.record({ ways: fc.integer({ min: 0, max: 16 }), seconds: fc.array(number, { maxLength: 20 }) }),
    ),
  }),
  { maxLength: 90 },
);

test('whatever is known: sound numbers, bounded, and blind to the order', () => {
  fc.assert(
    fc.property(anyProfiles, anyRuns, fc.nat(10 * DAY), (profiles, watched, nowMs) => {
      const evidence = evidenceOf(profiles, watched, nowMs);
      assert.ok(evidence.curves.length <= MOST_CURVES);
      for (const { weight = 1, wayBytes, points } of evidence.curves) {
        assert.ok(weight >= 1 / 8 && weight <= 1);
        assert.ok(wayBytes > 0 && points.length > 0);
        for (const { ways, seconds } of points) {
          assert.ok(ways > 0 && seconds.length > 0 && seconds.length <= MOST_SAMPLES);
          assert.ok(seconds.every((value) => value > 0 && Number.isFinite(value)));
        }
      }
      const turned = watched.map((each) => ({ ...each, times: each.times.toReversed() })).toReversed();
      assert.deepEqual(evidenceOf(profiles.toReversed(), turned, nowMs), evidence);
    }),
  );
});

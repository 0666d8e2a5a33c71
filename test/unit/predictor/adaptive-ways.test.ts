import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type AdaptiveOptions, nextWays, type SampledPoint } from '../../../predictor/adaptive-ways.ts';

type Curve = (ways: number) => number;
const DETERMINISTIC: AdaptiveOptions = { deterministic: true };

/** Executes until the curve is known. `order` lists the way counts of all executions. */
function explore(measure: Curve, ways: number, options: AdaptiveOptions) {
  const samples = new Map<number, number[]>();
  const order: number[] = [];
  const points = (): SampledPoint[] => [...samples].map(([at, seconds]) => ({ ways: at, seconds }));
  for (;;) {
    const next = nextWays(points(), ways, options);
    if (next === null) return { points: points(), order };
    order.push(next);
    assert.ok(order.length < 1000, 'it ends');
    samples.set(next, [...(samples.get(next) ?? []), measure(next)]);
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** The largest error of straight lines through the points, as a share of the true time. */
function errorOf(points: readonly SampledPoint[], truth: Curve, ways: number): number {
  const sorted = points.toSorted((a, b) => a.ways - b.ways);
  let worst = 0;
  for (let at = 1; at <= ways; at += 1) {
    const index = sorted.findIndex((point) => point.ways >= at);
    const to = sorted[index];
    assert.ok(to, 'the curve reaches all ways');
    const from = sorted[index - 1] ?? to;
    const share = to === from ? 1 : (at - from.ways) / (to.ways - from.ways);
    const estimate = mean(from.seconds) + share * (mean(to.seconds) - mean(from.seconds));
    worst = Math.max(worst, Math.abs(estimate - truth(at)) / truth(at));
  }
  return worst;
}

/** The fewest evenly spread points that give the same error. */
function evenSpreadFor(error: number, truth: Curve, ways: number): number {
  for (let count = 2; count < ways; count += 1) {
    const spread = Array.from({ length: count }, (_, i) => Math.round(1 + ((ways - 1) * i) / (count - 1)));
    const points = [...new Set(spread)].map((at) => ({ ways: at, seconds: [truth(at)] }));
    if (errorOf(points, truth, ways) <= error + 1e-9) return count;
  }
  return ways;
}

const CURVES: Readonly<Record<string, (ways: number) => Curve>> = {
  flat: () => () => 1,
  'cliff at the first way': () => (w) => (w < 2 ? 2.5 : 1),
  'cliff at a quarter': (n) => (w) => (w < n * 0.25 ? 3 : 1),
  'cliff in the middle': (n) => (w) => (w < n * 0.55 ? 4 : 1),
  'cliff at the end': (n) => (w) => (w < n * 0.95 ? 2 : 1),
  'gentle slope': (n) => (w) => 1.3 - (0.3 * (w - 1)) / (n - 1),
  slope: (n) => (w) => 2 - (w - 1) / (n - 1),
  'steep slope': (n) => (w) => 4 - (3 * (w - 1)) / (n - 1),
  'the family of the curve fit': () => (w) => 1 + 2 / (1 + Math.sqrt(w - 1)),
  'diminishing returns': () => (w) => 1 + 1 / w,
  'exponential decline': () => (w) => 1 + 3 * Math.exp(-w / 3),
  'two steps': (n) => (w) => (w < n / 3 ? 2 : w < (2 * n) / 3 ? 1.5 : 1),
  'four steps': (n) => (w) => 2 - Math.floor((w - 1) / (n / 4)) / 4,
  'a ramp between flats': (n) => (w) => (w < n / 4 ? 2.5 : w < n / 2 ? 2.5 - (6 * (w - n / 4)) / n : 1),
};

/** Curves that never rise, as more cache never hurts. */
const falling = fc.integer({ min: 1, max: 32 }).chain((ways) =>
  fc
    .array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: ways,
      maxLength: ways,
    })
    .map((drops) => {
      const times: number[] = [];
      for (const drop of drops) times.unshift((times[0] ?? 1) + drop);
      return times;
    }),
);

describe('the ends first, then where the curve bends', () => {
  test('all ways, one way, and a flat is known', () => {
    assert.deepEqual(explore(() => 5, 16, DETERMINISTIC).order, [16, 1]);
    assert.deepEqual(explore(() => 5, 1, DETERMINISTIC).order, [1]);
    assert.deepEqual(explore((w) => 3 - w, 2, DETERMINISTIC).order, [2, 1]);
  });

  test('a cliff is cornered to neighbours', () => {
    for (let edge = 2; edge <= 20; edge += 1) {
      const { points, order } = explore((w) => (w < edge ? 3 : 1), 20, DETERMINISTIC);
      const measured = points.map((point) => point.ways);
      assert.ok(measured.includes(edge) && measured.includes(edge - 1), `edge ${edge}: ${order}`);
      assert.ok(order.length <= 8, `edge ${edge} took ${order.length}`);
    }
  });

  test('a slope is not measured point for point', () => {
    assert.ok(explore((w) => 2 - (w - 1) / 19, 20, DETERMINISTIC).order.length <= 8);
  });
});

describe('properties', () => {
  test('it ends, asks for way counts that there are, and repeats none with a deterministic instrument', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { minLength: 1 }), (times) => {
        const { order } = explore((w) => times[w - 1] ?? 1, times.length, DETERMINISTIC);
        assert.equal(new Set(order).size, order.length);
        assert.ok(order.every((at) => Number.isInteger(at) && at >= 1 && at <= times.length));
      }),
    );
  });

  test('what a straight line misses of a falling curve is bounded: 6 tolerances at the very worst', () => {
    fc.assert(
      fc.property(falling, (times) => {
        const truth: Curve = (w) => times[w - 1] ?? 1;
        const { points } = explore(truth, times.length, DETERMINISTIC);
        assert.ok(errorOf(points, truth, times.length) <= 6 * 0.03 + 1e-9);
      }),
      { numRuns: 2000 },
    );
  });

  test('also of a curve that random search found only once in some thousand: a step of 19 % among flats', () => {
    const truth: Curve = (w) => (w <= 5 ? 1.187826088 : 1);
    const { points } = explore(truth, 29, DETERMINISTIC);
    assert.ok(errorOf(points, truth, 29) <= 6 * 0.03 + 1e-9);
  });

  test('and of the worst curves that agree with all that was measured: stairs between the points', () => {
    fc.assert(
      fc.property(falling, (times) => {
        const { points } = explore((w) => times[w - 1] ?? 1, times.length, DETERMINISTIC);
        const known = points.toSorted((a, b) => a.ways - b.ways);
        const early: Curve = (w) => known.find((point) => point.ways >= w)?.seconds[0] ?? 1;
        const late: Curve = (w) => known.findLast((point) => point.ways <= w)?.seconds[0] ?? 1;
        for (const stairs of [early, late])
          assert.ok(errorOf(points, stairs, times.length) <= 6 * 0.03 + 1e-9);
      }),
      { numRuns: 500 },
    );
    const slope: Curve = (w) => 2 - (w - 1) / 31;
    const { points } = explore(slope, 32, DETERMINISTIC);
    const known = points.toSorted((a, b) => a.ways - b.ways);
    const stairs: Curve = (w) => known.findLast((point) => point.ways <= w)?.seconds[0] ?? 1;
    assert.ok(errorOf(points, stairs, 32) <= 6 * 0.03);
  });

  test('a noisy instrument is asked again until the mean is certain, and never beyond the limits', () => {
    const options = { deterministic: false, maxSamples: 5, maxExecutions: 30 };
    fc.assert(
      fc.property(falling, fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })), (times, noise) => {
        const measure: Curve = (w) => (times[w - 1] ?? 1) * (1 + 0.2 * (noise.next().value ?? 0));
        const { points, order } = explore(measure, times.length, options);
        assert.ok(order.length <= 30);
        assert.ok(points.every((point) => point.seconds.length <= 5));
        const done = order.length < 30;
        assert.ok(!done || points.every((point) => point.seconds.length >= 3));
      }),
    );
  });

  test('a quiet point is sampled three times, a loud one five times', () => {
    assert.deepEqual(explore(() => 1, 8, { deterministic: false }).order, [8, 1, 1, 8, 1, 8]);
    let flip = 1;
    const loud: Curve = (w) => {
      flip = -flip;
      return w === 1 ? 1 + 0.4 * flip : 1;
    };
    const { points } = explore(loud, 8, { deterministic: false });
    assert.equal(points.find((point) => point.ways === 1)?.seconds.length, 5);
    assert.equal(points.find((point) => point.ways === 8)?.seconds.length, 3);
  });
});

test('executions: clearly fewer than one per way, and than an even spread, for the same curve', (t) => {
  for (const ways of [12, 16, 20, 32]) {
    let adaptive = 0;
    let even = 0;
    for (const [name, curveOf] of Object.entries(CURVES)) {
      const truth = curveOf(ways);
      const { points, order } = explore(truth, ways, DETERMINISTIC);
      const error = errorOf(points, truth, ways);
      assert.ok(error <= 0.03, `${name} over ${ways} ways: error ${error}`);
      adaptive += order.length;
      even += evenSpreadFor(error, truth, ways);
    }
    const all = ways * Object.keys(CURVES).length;
    t.diagnostic(`${ways} ways: ${adaptive} executions; an even spread ${even}; one per way ${all}`);
    assert.ok(adaptive <= (ways >= 16 ? 0.5 : 0.65) * all, `${adaptive} of ${all}`);
    assert.ok(adaptive < even);
  }
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chooseWays, generosity, quantileCurve } from '../../../predictor/choose-ways.ts';

const sure = (slowdown: readonly number[]) => ({ slowdown, quantiles: [] });
/** A straight fall to 1 at all ways. */
const slope = (from: number, ways = 16): number[] =>
  Array.from({ length: ways }, (_, i) => 1 + ((from - 1) * (ways - 1 - i)) / (ways - 1));
const cliff = (at: number, height: number, ways = 16): number[] =>
  Array.from({ length: ways }, (_, i) => (i + 1 < at ? height : 1));

describe('chooseWays', () => {
  test('takes the fewest ways within the allowed slowdown', () => {
    assert.equal(chooseWays(sure(new Array(16).fill(1))).ways, 1);
    assert.equal(chooseWays(sure(cliff(6, 1.8))).ways, 6);
    assert.equal(chooseWays(sure(cliff(6, 1.8)), { maxSlowdown: 2 }).ways, 1);
    assert.equal(chooseWays(sure(slope(1.14))).ways, 11);
    assert.equal(chooseWays(sure(slope(1.15)), { maxSlowdown: 1 }).ways, 16);
    assert.equal(chooseWays(sure([2])).ways, 1);
  });

  /** Thresholds of 1.05 and 2; how likely 1.05 is exceeded, by ways, and half as likely 2. */
  const unsure = (...risks: number[]) => ({
    slowdown: risks.map((risk) => 1 + risk),
    quantiles: [],
    tail: { thresholds: [1.05, 2], exceeds: risks.map((risk) => [risk, risk / 2]) },
  });

  test('weighs what a way costs against the risk that it takes away', () => {
    assert.equal(chooseWays(unsure(0.5, 0.4, 0.01, 0)).ways, 3);
    // A quarter of the cache is worth a tenth of the risk that it takes away.
    assert.equal(chooseWays(unsure(0.05, 0.05, 0.05, 0)).ways, 1);
    assert.equal(chooseWays(unsure(0.6, 0.6, 0.6, 0)).ways, 4);
    assert.equal(chooseWays(unsure(0.2, 0.2, 0, 0), { risk: 1.1 }).ways, 1);
    assert.equal(chooseWays(unsure(0.2, 0.15, 0, 0), { risk: 9 }).ways, 3);
    assert.ok(Math.abs(chooseWays(unsure(0.05, 0.05, 0.05, 0)).risk - 0.05) < 1e-9);
  });

  test('never takes what is certain to be too slow, however dear the cache is', () => {
    assert.equal(chooseWays(unsure(1, 1, 1, 0), { risk: 1.01 }).ways, 4);
    assert.equal(chooseWays(unsure(1, 0, 0, 0)).ways, 2);
  });

  test('tells what the slowdown surely is at most', () => {
    const quantiles = [
      { level: 0.5, slowdown: cliff(6, 1.8) },
      { level: 0.95, slowdown: cliff(9, 1.8) },
    ];
    const choice = chooseWays({ slowdown: cliff(6, 1.8), quantiles }, { confidence: 0.95 });
    assert.deepEqual([choice.ways, choice.expected, choice.atMost], [6, 1, 1.8]);
  });

  test('gives more than is needed only for what each further way brings', () => {
    const { ways, needed } = chooseWays(sure(slope(1.15)), { price: generosity(200) });
    assert.deepEqual([ways, needed], [16, 11], 'each saves 1 %, and 200 ways are free');
    assert.equal(chooseWays(sure(slope(1.15)), { price: generosity(100) }).ways, 11);
    // A step behind a flat is worth its way there.
    assert.equal(chooseWays(sure([1.04, 1.04, 1.04, 1]), { price: -0.013 }).ways, 4);
    assert.equal(chooseWays(sure([1.04, 1.04, 1.04, 1]), { price: -0.014 }).ways, 1);
    // But the flat behind a step is worth nothing, however well the step paid.
    assert.equal(chooseWays(sure([1.04, 1, 1, 1, 1, 1]), { price: -0.01 }).ways, 2);
  });

  test('says why', () => {
    assert.match(chooseWays(sure(cliff(6, 1.8))).why, /^6 of 16 ways stay within 5 % of the full cache$/);
    assert.match(
      chooseWays(sure(slope(1.15)), { price: -0.01 }).why,
      /5 more save at least 1 % of its time each/,
    );
    assert.match(chooseWays(unsure(0.05, 0.05, 0.05, 0)).why, /\(5 % likely not\)/);
  });

  test('never takes fewer ways than are needed, never more than there are, and never more for a higher price', () => {
    const curves = fc
      .array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 1, maxLength: 20 })
      .map((falls) => falls.map((_, i) => 1 + falls.slice(i + 1).reduce((sum, fall) => sum + fall, 0)));
    fc.assert(
      fc.property(
        curves,
        fc.double({ min: 1, max: 3, noNaN: true }),
        fc.integer({ min: 0, max: 2000 }),
        (slowdown, maxSlowdown, free) => {
          const scarce = chooseWays(sure(slowdown), { maxSlowdown });
          const plenty = chooseWays(sure(slowdown), { maxSlowdown, price: generosity(free) });
          for (const { ways, needed } of [scarce, plenty]) {
            assert.ok(ways >= needed && ways <= slowdown.length);
            assert.ok((slowdown[ways - 1] ?? 9) <= maxSlowdown);
            if (needed > 1) assert.ok((slowdown[needed - 2] ?? 0) > maxSlowdown);
          }
          assert.ok(plenty.ways >= scarce.ways);
        },
      ),
    );
  });
});

test('a quantile between two is on the line between them', () => {
  const quantiles = [
    { level: 0.2, slowdown: [2, 1] },
    { level: 0.4, slowdown: [3, 1] },
  ];
  assert.deepEqual(quantileCurve({ slowdown: [9, 9], quantiles }, 0.3), [2.5, 1]);
  assert.deepEqual(quantileCurve({ slowdown: [9, 9], quantiles }, 0.9), [3, 1]);
  assert.deepEqual(quantileCurve({ slowdown: [9, 9], quantiles }, 0.1), [2, 1]);
  assert.deepEqual(quantileCurve({ slowdown: [9, 9], quantiles: [] }, 0.1), [9, 9]);
});

test('generosity is the formula of the original: -1 / (max(free, 20) / 2)', () => {
  assert.equal(generosity(0), -0.1);
  assert.equal(generosity(20), -0.1);
  assert.equal(generosity(100), -0.02);
});

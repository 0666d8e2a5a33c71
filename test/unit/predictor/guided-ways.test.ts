import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { guidedWays } from '../../../predictor/guided-ways.ts';

const believed = (risks: readonly number[]) => ({
  slowdown: risks.map((risk) => 1 + risk),
  quantiles: [],
  tail: { thresholds: [1.05], exceeds: risks.map((risk) => [risk]) },
});

describe('guidedWays', () => {
  test('asks where the answer is worth most', () => {
    // Very likely a cliff at 4: whether 4 will do is the question.
    const risks = [0.97, 0.97, 0.97, 0.04, 0.03, 0.03, 0.02, 0.02, 0.02, 0.01, 0.01, 0];
    assert.equal(guidedWays(believed(risks), new Set([12]), { executionsLeft: 1 }), 4);
  });

  test('asks nothing that is certain or measured', () => {
    assert.equal(guidedWays(believed([1, 1, 0, 0]), new Set([4]), { executionsLeft: 3 }), null);
    assert.equal(guidedWays(believed([1, 0.5, 0, 0]), new Set([2, 4]), { executionsLeft: 3 }), null);
    assert.equal(guidedWays(believed([0]), new Set(), { executionsLeft: 3 }), null);
  });

  test('finds every edge when the executions suffice to halve, whatever the model believes', () => {
    const model = fc.array(fc.double({ min: 0.001, max: 0.999, noNaN: true }), {
      minLength: 15,
      maxLength: 15,
    });
    fc.assert(
      fc.property(model, fc.integer({ min: 1, max: 16 }), (unsorted, edge) => {
        const prior = [...unsorted.toSorted((a, b) => b - a), 0];
        const measured = new Set([16]);
        const risks = (): number[] =>
          prior.map((risk, i) => {
            const ways = i + 1;
            if ([...measured].some((each) => each >= edge && each <= ways)) return 0;
            return [...measured].some((each) => each < edge && each >= ways) ? 1 : risk;
          });
        for (let executionsLeft = 4; executionsLeft > 0; executionsLeft--) {
          const next = guidedWays(believed(risks()), measured, { executionsLeft });
          if (next === null) break;
          assert.ok(!measured.has(next));
          measured.add(next);
        }
        assert.ok(measured.has(edge) && (edge === 1 || measured.has(edge - 1)), `${[...measured]}`);
      }),
    );
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gainsFromCache } from '../../../predictor/sensitivity.ts';

const curve = (slowdown: readonly number[], changes: object = {}) =>
  ({ mode: 'BENCHMARKED', slowdown, quantiles: [], ...changes }) as const;

test('a function gains from cache unless one way surely is enough', () => {
  assert.equal(gainsFromCache(curve([1.05, 1])), false);
  assert.equal(gainsFromCache(curve([1.06, 1])), true);
  assert.equal(gainsFromCache(curve([1.06, 1]), { maxSlowdown: 1.1 }), false);
});

test('it is the careful quantile that decides, not what is expected', () => {
  const quantiles = [
    { level: 0.5, slowdown: [1.01, 1] },
    { level: 0.95, slowdown: [1.4, 1] },
  ];
  assert.equal(gainsFromCache(curve([1.01, 1], { quantiles })), true);
  assert.equal(gainsFromCache(curve([1.01, 1], { quantiles }), { confidence: 0.5 }), false);
  assert.equal(
    gainsFromCache(curve([1.01, 1], { mode: 'ASSISTED', quantiles: quantiles.slice(0, 1) })),
    false,
  );
});

test('what nobody measured may gain', () => {
  assert.equal(gainsFromCache(curve([], { mode: 'INOP' })), true);
  assert.equal(gainsFromCache(curve([1, 1], { mode: 'ASSISTED' })), true, 'not at this input size');
});

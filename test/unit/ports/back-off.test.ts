import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backOff, spread } from '../../../node/back-off.ts';

const RANGE = { firstMs: 250, longestMs: 15_000 };

test('a delay doubles with each failure, from the first to the longest', () => {
  assert.deepEqual(
    [0, 1, 2, 5, 6, 1e9].map((failures) => backOff(RANGE, failures)),
    [250, 500, 1000, 8000, 15_000, 15_000],
  );
});

test('a spread delay lies between its half and its whole', () => {
  const at = (next: number) => spread(1000, { next: () => next, id: () => '' });
  assert.deepEqual([0, 0.5, 0.999].map(at), [500, 750, 999.5]);
});

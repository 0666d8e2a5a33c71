/** Rule 1 of changes, held to what it said when it was frozen: the tables of every node rest on it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Change, changeOf, joinChanges } from '../../../protocols/schema/change.ts';

const series = (held: boolean, seconds: readonly number[]) => ({
  ways: 4,
  held,
  times: seconds.map((each, at) => ({ seconds: each, atMs: 1000 + at })),
});
const many = (count: number, seconds: number) => Array.from({ length: count }, () => seconds);
const steps = (...levels: readonly [number, number][]) => levels.flatMap(([count, at]) => many(count, at));

const told = (change: Change | null): string =>
  change === null
    ? 'none'
    : `since ${change.sinceMs}: ${change.beforeSeconds} to ${change.afterSeconds}${change.held ? ' held' : ''}`;

test('rule 1 says what it said when it was frozen', () => {
  for (const [held, seconds, said] of [
    [true, steps([5, 1], [5, 1.26]), 'since 1005: 1 to 1.26 held'],
    [true, steps([5, 1], [5, 1.25]), 'none'],
    [true, steps([5, 1], [4, 2]), 'none'],
    [true, steps([4, 1], [5, 2]), 'none'],
    [true, steps([9, 2], [5, 1]), 'since 1009: 2 to 1 held'],
    [true, [...steps([5, 1], [2, 2]), 1.1, ...many(2, 2)], 'none'],
    [true, [1, 1.3, 0.8, 1.2, 0.9, ...many(5, 1.5)], 'none'],
    [false, steps([10, 1], [10, 1.51]), 'since 1010: 1 to 1.51'],
    [false, steps([10, 1], [10, 1.5]), 'none'],
    [false, steps([10, 1], [9, 3]), 'none'],
    [false, steps([9, 1], [10, 3]), 'none'],
  ] as const)
    assert.equal(told(changeOf(series(held, seconds))), said, seconds.join(' '));
  assert.equal(told(changeOf(series(true, many(5, 2)), [1])), 'since 1000: 1 to 2 held');
});

test('rule 1 joins changes as it did when it was frozen', () => {
  const change = (changes: Partial<Change>): Change => ({
    sinceMs: 10,
    ways: 4,
    held: true,
    beforeSeconds: 1,
    afterSeconds: 2,
    ...changes,
  });
  const known = change({});
  assert.deepEqual(joinChanges(null, known), known);
  assert.equal(joinChanges(known, change({ sinceMs: 20, beforeSeconds: 2, afterSeconds: 1.2 })), null);
  assert.deepEqual(
    joinChanges(known, change({ sinceMs: 20, beforeSeconds: 2, afterSeconds: 4 })),
    change({ sinceMs: 20, beforeSeconds: 1, afterSeconds: 4 }),
  );
  const elsewhere = change({ sinceMs: 20, ways: 8, afterSeconds: 3 });
  assert.deepEqual(joinChanges(known, elsewhere), { ...elsewhere, sinceMs: 10 });
  assert.deepEqual(joinChanges(known, { ...elsewhere, held: false }), known);
  const faster = change({ sinceMs: 20, ways: 8, afterSeconds: 0.5 });
  assert.deepEqual(joinChanges(known, faster), faster);
});

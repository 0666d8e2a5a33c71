import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Look, NO_COMPLAINTS, review } from '../../../node/mesh/connection-watch.ts';

const FINE: Look = { heard: true, gossipOut: true, gossipIn: true, gossipSilentMs: 3000 };

/** The verdicts of looks one after another. */
function verdicts(...looks: Partial<Look>[]) {
  let complaints = NO_COMPLAINTS;
  return looks.map((look) => {
    const reviewed = review(complaints, { ...FINE, ...look });
    complaints = reviewed.complaints;
    return reviewed.verdict;
  });
}

test('a peer is dead after three looks without a byte', () => {
  assert.deepEqual(verdicts({ heard: false }, { heard: false }, { heard: false }), ['fine', 'fine', 'dead']);
});

test('one byte is a sign of life', () => {
  const silent = { heard: false };
  assert.deepEqual(new Set(verdicts(silent, silent, {}, silent, silent, {})), new Set(['fine']));
});

for (const lacking of ['gossipOut', 'gossipIn'] as const) {
  test(`a peer is mute after four looks without ${lacking}`, () => {
    const look = { [lacking]: false };
    assert.deepEqual(verdicts(look, look, look, look), ['fine', 'fine', 'fine', 'mute']);
    assert.deepEqual(new Set(verdicts(look, look, look, {}, look, look)), new Set(['fine']));
  });
}

test('a peer that gossiped and fell silent for a minute is mute; one that never did is not', () => {
  assert.deepEqual(verdicts({ gossipSilentMs: 60_000 }), ['mute']);
  assert.deepEqual(verdicts({ gossipSilentMs: 59_999 }), ['fine']);
  assert.deepEqual(verdicts({ gossipSilentMs: null }), ['fine']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeEntry,
  decodeHardState,
  decodeMessage,
  encodeEntry,
  encodeHardState,
  encodeMessage,
} from '../../../node/consensus/codec.ts';
import type { Message } from '../../../node/consensus/messages.ts';
import type { Entry, HardState } from '../../../node/consensus/types.ts';

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const id = fc.string({ minLength: 1, maxLength: 60 });
const ids = fc.uniqueArray(id, { maxLength: 8 });
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant('noop' as const), term: count, index: count }),
  fc.record({
    kind: fc.constant('command' as const),
    term: count,
    index: count,
    data: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({
    kind: fc.constant('configuration' as const),
    term: count,
    index: count,
    configuration: ids.map((all) => ({ voters: all.slice(0, 3), learners: all.slice(3) })),
  }),
);
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('vote-request' as const),
    term: count,
    pre: fc.boolean(),
    lastIndex: count,
    lastTerm: count,
  }),
  fc.record({
    type: fc.constant('vote-response' as const),
    term: count,
    pre: fc.boolean(),
    granted: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('append' as const),
    term: count,
    previousIndex: count,
    previousTerm: count,
    commitIndex: count,
    entries: fc.array(entry, { maxLength: 5 }),
  }),
  fc.record({ type: fc.constant('append-accepted' as const), term: count, matchIndex: count }),
  fc.record({
    type: fc.constant('append-rejected' as const),
    term: count,
    previousIndex: count,
    hintIndex: count,
    hintTerm: count,
  }),
  fc.record({ type: fc.constant('heartbeat' as const), term: count, commitIndex: count }),
  fc.record({ type: fc.constant('heartbeat-response' as const), term: count }),
);
const hardState: fc.Arbitrary<HardState> = fc.record({
  term: count,
  votedFor: fc.option(id),
  commitIndex: count,
});

/** fast-check makes objects without a prototype; only the values matter. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, part) =>
      part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part,
    ),
  );

test('messages, entries and hard states survive their bytes', () => {
  fc.assert(
    fc.property(message, entry, hardState, (aMessage, anEntry, aState) => {
      const decoded = decodeMessage(encodeMessage(aMessage));
      assert.ok(decoded.ok);
      assert.deepEqual(plain(decoded.value), plain(aMessage));
      const again = decodeEntry(encodeEntry(anEntry));
      assert.ok(again.ok);
      assert.deepEqual(plain(again.value), plain(anEntry));
      const state = decodeHardState(encodeHardState(aState));
      assert.ok(state.ok);
      assert.deepEqual(plain(state.value), plain(aState));
    }),
    { numRuns: 300 },
  );
});

test('damaged bytes give an error value, never a crash', () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.uint8Array({ maxLength: 40 }), (aMessage, seed, noise) => {
      const bytes = encodeMessage(aMessage);
      const cut = decodeMessage(bytes.subarray(0, seed % (bytes.length + 1)));
      const flipped = bytes.slice();
      if (flipped.length > 0) flipped[seed % flipped.length] = seed & 0xff;
      for (const outcome of [
        cut,
        decodeMessage(flipped),
        decodeMessage(noise),
        decodeEntry(noise),
        decodeHardState(noise),
      ]) {
        assert.ok(outcome.ok || outcome.error.code === 'MALFORMED');
      }
    }),
    { numRuns: 500 },
  );
});

test('an empty message and numbers that a double cannot hold are malformed', () => {
  assert.equal(decodeMessage(new Uint8Array()).ok, false);
  // Field 1 (term), varint 2^64 - 1.
  const huge = Uint8Array.of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
  assert.equal(decodeHardState(huge).ok, false);
});

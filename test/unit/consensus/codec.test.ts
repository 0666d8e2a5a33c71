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
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,60}$/);
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
  fc.record({
    type: fc.constant('voters-request' as const),
    term: count,
    configurationIndex: count,
    configurationTerm: count,
  }),
  fc.record({
    type: fc.constant('voters-response' as const),
    term: count,
    configurationIndex: count,
    configurationTerm: count,
    voters: ids,
  }),
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

const MUTATIONS = 10_000;
const place = fc.nat({ max: 0xffff });
/** A flipped byte, a cut, an insertion, a length that promises gigabytes, or mere nonsense. */
const mutation: fc.Arbitrary<(frame: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(place, fc.nat({ max: 255 })).map(([at, byte]) => (frame: Uint8Array) => {
    const copy = frame.slice();
    if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  }),
  place.map((at) => (frame: Uint8Array) => frame.subarray(0, at % (frame.length + 1))),
  fc.tuple(place, fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.constant(new Uint8Array(7).fill(0xff)))).map(
    ([at, more]) =>
      (frame: Uint8Array) =>
        Uint8Array.from([...frame.subarray(0, at % (frame.length + 1)), ...more, ...frame.subarray(at)]),
  ),
  fc.uint8Array({ maxLength: 60 }).map((nonsense) => () => nonsense),
);

for (const [name, arbitrary, encode, decode] of [
  ['a message', message, encodeMessage, decodeMessage],
  ['an entry', entry, encodeEntry, decodeEntry],
  ['a hard state', hardState, encodeHardState, decodeHardState],
] as const) {
  test(`of ${MUTATIONS} damaged frames of ${name} each is refused, or is one that comes back the same`, () => {
    const frames = fc.sample(arbitrary as fc.Arbitrary<never>, { numRuns: 50, seed: 1 }).map(encode);
    fc.assert(
      fc.property(fc.constantFrom(...frames), mutation, (frame, mutate) => {
        const decoded = decode(mutate(frame));
        if (!decoded.ok) return assert.equal(decoded.error.code, 'MALFORMED');
        const again = decode((encode as (value: unknown) => Uint8Array)(decoded.value));
        assert.deepEqual(plain(again.ok && again.value), plain(decoded.value));
      }),
      { numRuns: MUTATIONS },
    );
  });
}

test('numbers that a double cannot hold, counts that the bytes cannot have and ids that are none are malformed', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
  assert.equal(decodeMessage(new Uint8Array()).ok, false);
  assert.equal(decodeHardState(Uint8Array.of(...huge, 0, 0)).ok, false);
  // An append of 2^49 entries.
  assert.equal(decodeMessage(Uint8Array.of(2, 1, 1, 1, 1, ...huge)).ok, false);
  assert.equal(decodeHardState(Uint8Array.of(1, 1, 0x20, 1)).ok, false);
  assert.equal(decodeHardState(Uint8Array.of(1, 0, 1, 1)).ok, false, 'more than there should be');
});

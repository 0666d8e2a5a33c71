/**
 * Properties of what crosses the wire and lies in the log; a failure prints the seed and path that replay it
 * (fast-check).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as encodeCbor } from 'cborg';
import fc from 'fast-check';
import type { TSchema } from 'typebox';
import { decodeCommand, encodeCommand } from '../../../node/state/commands.ts';
import { judgeDigest, judgeNotice, MAX_MESSAGE_BYTES } from '../../../protocols/gossip/index.ts';
import { CapacityNotice, ClusterDigest } from '../../../protocols/schema/capacity.ts';
import { check, isValid } from '../../../protocols/schema/check.ts';
import { Command } from '../../../protocols/schema/command.ts';
import {
  BlobReply,
  BlobRequest,
  ControlRequest,
  ControlResponse,
  InspectRequest,
  JoinRequest,
  JoinResponse,
  ProofChallenge,
  ProofHello,
  ProofShown,
  ProofVerdict,
} from '../../../protocols/schema/messages.ts';
import { Inspection } from '../../../protocols/schema/views.ts';
import { decode, encode } from '../../../protocols/wire/codec.ts';
import { WireError } from '../../../protocols/wire/error.ts';
import { domainOf, newMemberOf, peerId, resultOf } from '../../builders/nouns.ts';
import { arbitraryOf } from '../../support/arbitrary.ts';
import { notice } from '../mesh/fleet.ts';

const MESSAGES: Readonly<Record<string, TSchema>> = {
  BlobReply,
  BlobRequest,
  CapacityNotice,
  ClusterDigest,
  Command,
  ControlRequest,
  ControlResponse,
  InspectRequest,
  Inspection,
  JoinRequest,
  JoinResponse,
  ProofChallenge,
  ProofHello,
  ProofShown,
  ProofVerdict,
};
const MUTATIONS = 10_000;

test('a message with more values than anybody needs is refused, under whatever key', () => {
  const message = { type: 'held', unknown: Array.from({ length: 250_000 }, () => ({})) };
  assert.throws(() => decode(ControlRequest, encodeCbor(message)), { code: 'MALFORMED' });
  const fewer = { ...message, unknown: message.unknown.slice(0, 1000) };
  assert.deepEqual(decode(ControlRequest, encodeCbor(fewer)), { type: 'held' });
});

for (const [name, schema] of Object.entries(MESSAGES)) {
  const arbitrary = arbitraryOf(schema);

  test(`${name}: what is encoded comes back the same`, () => {
    fc.assert(
      fc.property(arbitrary, (message) => {
        assert.deepEqual(plain(decode(schema, encode(schema, message))), plain(message));
      }),
    );
  });

  test(`${name}: of ${MUTATIONS} damaged frames none crashes the decoder or brings a value outside of the schema`, () => {
    const frames = fc.sample(arbitrary, { numRuns: 50, seed: 1 }).map((message) => encode(schema, message));
    fc.assert(
      fc.property(fc.constantFrom(...frames), mutation, (frame, mutate) => {
        const value = decoded(schema, mutate(frame));
        if (value !== undefined) assert.ok(isValid(schema, value));
      }),
      { numRuns: MUTATIONS },
    );
  });

  test(`${name}: keys that a newer version may send are dropped, wherever they stand`, () => {
    fc.assert(
      fc.property(arbitrary, (message) => {
        const bytes = encodeCbor(withMore(message));
        assert.deepEqual(plain(decode(schema, bytes)), plain(message));
      }),
      { numRuns: 30 },
    );
  });
}

/** Undefined when the bytes are refused as malformed; nothing else may come of them. */
function decoded(schema: TSchema, bytes: Uint8Array): unknown {
  try {
    return decode(schema, bytes);
  } catch (error) {
    assert.ok(error instanceof WireError && error.code === 'MALFORMED', String(error));
    return undefined;
  }
}

/** A flipped byte, a cut, an insertion, a piece put twice, a length that promises gigabytes, or mere nonsense. */
const place = fc.nat({ max: 0xffff });
const mutation: fc.Arbitrary<(frame: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(place, fc.nat({ max: 255 })).map(([at, byte]) => (frame: Uint8Array) => {
    const copy = Uint8Array.from(frame);
    if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  }),
  place.map((at) => (frame: Uint8Array) => frame.subarray(0, at % (frame.length + 1))),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
    ([at, more]) =>
      (frame: Uint8Array) =>
        splice(frame, at % (frame.length + 1), more),
  ),
  fc.tuple(place, place).map(([from, at]) => (frame: Uint8Array) => {
    const piece = frame.subarray(from % (frame.length + 1));
    return splice(frame, at % (frame.length + 1), piece);
  }),
  fc.tuple(place, fc.constantFrom(0x5b, 0x7b, 0x9b, 0xbb)).map(([at, head]) => (frame: Uint8Array) => {
    const bomb = Uint8Array.from([head, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]);
    return splice(frame, at % (frame.length + 1), bomb);
  }),
  fc.uint8Array({ maxLength: 200 }).map((nonsense) => () => nonsense),
);

function splice(frame: Uint8Array, at: number, more: Uint8Array): Uint8Array {
  return Uint8Array.from([...frame.subarray(0, at), ...more, ...frame.subarray(at)]);
}

function withMore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMore);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const entries = Object.entries(value).map(([key, part]) => [key, withMore(part)]);
  return { ...Object.fromEntries(entries), aNewerKey: { deep: [1] } };
}

test('nesting without end, and maps with a key twice, are malformed', () => {
  for (const bytes of [new Uint8Array(200_000).fill(0x81), Uint8Array.from([0xa2, 0x61, 97, 1, 0x61, 97, 2])])
    assert.equal(decoded(ControlRequest, bytes), undefined);
});

test('what does not fit its own schema is not sent', () => {
  assert.throws(() => encode(BlobRequest, { type: 'fetch', sha256: '../etc/passwd' }), { code: 'MALFORMED' });
});

test('a blob is named by 64 lower-case hexadecimal digits and nothing else', () => {
  for (const sha256 of ['', 'a'.repeat(63), 'A'.repeat(64), `../${'a'.repeat(61)}`, `${'a'.repeat(64)}\n`])
    assert.equal(decoded(BlobRequest, encodeCbor({ type: 'fetch', sha256 })), undefined, sha256);
});

test('a member is named by a peer id that libp2p can dial', () => {
  const admit = (id: string) => check(ControlRequest, { type: 'admit', member: { ...newMemberOf('n'), id } });
  assert.ok(admit(peerId('a')).ok);
  for (const id of [
    'garbage',
    '',
    `12D3KooWz${'1'.repeat(43)}`,
    `12D3KooW1${'1'.repeat(43)}`,
    `${peerId('a')}x`,
  ])
    assert.deepEqual(admit(id), { ok: false, error: '"member.id" must be a peer id such as 12D3KooW…' });
});

test('a refusal says which part is wrong and what it must be', () => {
  const digest = { term: 1, master: 'a', commitIndex: 0, queued: 0, running: 0 };
  const versions = { members: 0, tasks: 0, profiles: 0, runs: 0, models: 0, observations: 0 };
  for (const [schema, value, said] of [
    [
      CapacityNotice,
      { ...notice('a', 1), domains: [domainOf({ ways: 1e6 })] },
      '"domains.0.ways" must be a whole number from 1 to 64',
    ],
    [CapacityNotice, { ...notice('a', 1), load1: Number.NaN }, '"load1" must be a number from 0'],
    [
      CapacityNotice,
      { ...notice('a', 1), domains: [domainOf({ ways: 4, freeWays: 5 })] },
      'the whole must be a notice that has each domain once, and no more free ways than ways',
    ],
    [
      CapacityNotice,
      { ...notice('a', 1), domains: [domainOf(), domainOf()] },
      'the whole must be a notice that has each domain once, and no more free ways than ways',
    ],
    [ClusterDigest, digest, '"versions" is missing'],
    [
      ClusterDigest,
      { ...digest, versions, term: -1 },
      `"term" must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
    ],
    [
      ControlRequest,
      { type: 'dance' },
      'the whole must be an object of one of the types admit, admit-joiner, started, report, dispatch, cancel, cluster-key-keep, cluster-key-ask, held, output',
    ],
    [
      ControlRequest,
      { type: 'output', runId: 'r', attempt: 1, stream: 'x', offset: 0 },
      '"stream" must be one of stdout, stderr',
    ],
  ] as const)
    assert.deepEqual(check(schema, value), { ok: false, error: said });
});

test('gossip is heeded from members that speak for themselves', () => {
  const bytes = encode(CapacityNotice, notice('a', 1));
  const members = (id: string) => id !== 'stranger';
  assert.deepEqual(judgeNotice('a', bytes, members), { verdict: 'accept', message: notice('a', 1) });
  assert.equal(judgeNotice('b', bytes, members).verdict, 'reject');
  assert.equal(judgeNotice('stranger', bytes, members).verdict, 'ignore');
  const long = judgeNotice('a', new Uint8Array(MAX_MESSAGE_BYTES + 1), members);
  assert.deepEqual(long, { verdict: 'reject', reason: 'too long' });
  assert.equal(judgeNotice('a', new Uint8Array([255]), members).verdict, 'reject');
  const versions = { members: 0, tasks: 0, profiles: 0, runs: 0, models: 0, observations: 0 };
  const digest = { term: 1, master: 'a', commitIndex: 0, versions, queued: 0, running: 0 };
  assert.equal(judgeDigest('a', encode(ClusterDigest, digest), members).verdict, 'accept');
  assert.equal(judgeDigest('b', encode(ClusterDigest, digest), members).verdict, 'reject');
});

test('a node of 1,024 runs can still tell its capacity', () => {
  const [share] = notice('a', 1).runs;
  assert.ok(share);
  const runs = Array.from({ length: 1024 }, (_, at) => ({ ...share, runId: String(at).padStart(32, '0') }));
  assert.ok(encode(CapacityNotice, { ...notice('a', 1), runs }).length < MAX_MESSAGE_BYTES);
});

test('a command carries the version of its format, and another version is no command', () => {
  const command = { type: 'model-select', version: 1 } as const;
  const bytes = encodeCommand(command);
  assert.equal(bytes[0], 2);
  assert.deepEqual(decodeCommand(bytes), command);
  for (const damaged of [Uint8Array.from([3, ...bytes.subarray(1)]), new Uint8Array(), bytes.subarray(0, 3)])
    assert.equal(decodeCommand(damaged), null);
});

test('a result of before users of runs and filters of calls were told is still read', () => {
  const isolation = { user: 'nobody', limits: 'none', sandbox: 'none', network: true, pinned: true } as const;
  const end = { runId: 'r1', term: 1, attempt: 1, state: 'succeeded', error: null, atMs: 1 } as const;
  const old = { type: 'run-finish', ...end, result: resultOf({ isolation }) } as const;
  assert.deepEqual(plain(decodeCommand(encodeCommand(old))), plain(old));
});

/** Buffers and arrays of bytes compare by their bytes. */
function plain(value: unknown): unknown {
  return JSON.parse(
    // A Buffer has become its own JSON already when the function is given it.
    JSON.stringify(value, function (this: Record<string, unknown>, key, item) {
      const whole = this[key];
      return whole instanceof Uint8Array ? Buffer.from(whole).toString('hex') : item;
    }),
  );
}

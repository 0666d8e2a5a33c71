/** Properties; a failure prints the seed and path that replay it (fast-check's report). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeBlobReply,
  decodeBlobRequest,
  encodeBlobReply,
  encodeBlobRequest,
} from '../../../protocols/blob/codec.ts';
import { decodeControlRequest, encodeControlRequest } from '../../../protocols/control/request-codec.ts';
import { decodeControlResponse, encodeControlResponse } from '../../../protocols/control/response-codec.ts';
import { decodeDigest, decodeNotice, encodeDigest, encodeNotice } from '../../../protocols/gossip/codec.ts';
import { MAX_MESSAGE_BYTES } from '../../../protocols/gossip/index.ts';
import { judgeDigest, judgeNotice } from '../../../protocols/gossip/validate.ts';
import {
  decodeJoinRequest,
  decodeJoinResponse,
  encodeJoinRequest,
  encodeJoinResponse,
} from '../../../protocols/join/codec.ts';
import { WireError } from '../../../protocols/wire/error.ts';
import { notice } from '../mesh/fleet.ts';
import * as samples from './samples.ts';

/** Messages come back as they went; whatever else comes is refused as MALFORMED and by nothing else. */
function codec<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  encode: (message: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
) {
  test(`${name}: what is encoded comes back the same`, () => {
    fc.assert(
      fc.property(arbitrary, (message) => {
        assert.deepEqual(plain(decode(encode(message))), plain(message));
      }),
    );
  });

  test(`${name}: random and damaged bytes are refused, never worse`, () => {
    const refused = (bytes: Uint8Array) => {
      try {
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof WireError && error.code === 'MALFORMED', String(error));
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), refused));
    fc.assert(
      fc.property(arbitrary, fc.nat(), fc.nat({ max: 255 }), (message, place, value) => {
        const bytes = Uint8Array.from(encode(message));
        if (bytes.length > 0) bytes[place % bytes.length] = value;
        refused(bytes);
        refused(bytes.subarray(0, place % (bytes.length + 1)));
      }),
    );
  });
}

codec('control request', samples.controlRequest, encodeControlRequest, decodeControlRequest);
codec('control response', samples.controlResponse, encodeControlResponse, decodeControlResponse);
codec('join request', samples.joinRequest, encodeJoinRequest, decodeJoinRequest);
codec('join response', samples.joinResponse, encodeJoinResponse, decodeJoinResponse);
codec('blob request', samples.blobRequest, encodeBlobRequest, decodeBlobRequest);
codec('blob reply', samples.blobReply, encodeBlobReply, decodeBlobReply);
codec('capacity notice', samples.capacityNotice, encodeNotice, decodeNotice);
codec('cluster digest', samples.clusterDigest, encodeDigest, decodeDigest);

test('a blob is named by 64 lower-case hexadecimal digits and nothing else', () => {
  for (const sha256 of ['', 'a'.repeat(63), 'A'.repeat(64), `../${'a'.repeat(61)}`, `${'a'.repeat(64)}\n`]) {
    assert.throws(() => decodeBlobRequest(encodeBlobRequest({ type: 'fetch', sha256 })), {
      code: 'MALFORMED',
    });
  }
});

test('gossip is heeded from members that speak for themselves', () => {
  const bytes = encodeNotice(notice('a', 1));
  const members = (id: string) => id !== 'stranger';
  assert.deepEqual(judgeNotice('a', bytes, members), { verdict: 'accept', message: notice('a', 1) });
  assert.equal(judgeNotice('b', bytes, members).verdict, 'reject');
  assert.equal(judgeNotice('stranger', bytes, members).verdict, 'ignore');
  assert.equal(judgeNotice('a', new Uint8Array(MAX_MESSAGE_BYTES + 1), members).verdict, 'reject');
  assert.equal(judgeNotice('a', new Uint8Array([255]), members).verdict, 'reject');
  const versions = { members: 0, tasks: 0, profiles: 0, runs: 0, models: 0, observations: 0 };
  const digest = { term: 1, master: 'a', commitIndex: 0, versions, queued: 0, running: 0 };
  assert.equal(judgeDigest('a', encodeDigest(digest), members).verdict, 'accept');
  assert.equal(judgeDigest('b', encodeDigest(digest), members).verdict, 'reject');
});

test('a notice of a domain with more free ways than ways, or of one domain twice, is malformed', () => {
  const domain = { id: 0, cpus: [], ways: 4, freeWays: 5, wayBytes: 1 };
  const good = { ...domain, freeWays: 4 };
  for (const domains of [[domain], [good, good]]) {
    assert.throws(() => decodeNotice(encodeNotice({ ...notice('a', 1), domains })), { code: 'MALFORMED' });
  }
});

/** Buffers and arrays of bytes compare by their bytes. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, item) =>
      item instanceof Uint8Array ? Buffer.from(item).toString('hex') : item,
    ),
  );
}

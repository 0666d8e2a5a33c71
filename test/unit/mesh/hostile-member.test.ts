/** A member that means harm, or is broken: what it sends is refused at the door, and the node goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { encode as encodeCbor } from 'cborg';
import { createDialler } from '../../../node/mesh/libp2p-settings.ts';
import { BLOB_PROTOCOL } from '../../../protocols/blob/index.ts';
import { CONTROL_PROTOCOL, MAX_FRAME_BYTES } from '../../../protocols/control/index.ts';
import { ControlResponse } from '../../../protocols/schema/messages.ts';
import { readMessage } from '../../../protocols/wire/codec.ts';
import { StreamReader } from '../../../protocols/wire/reader.ts';
import { writeFrame } from '../../../protocols/wire/writer.ts';
import { dispatchOf, peerId } from '../../builders/nouns.ts';
import { Fleet } from './fleet.ts';

const dispatch = dispatchOf();
const MALICE: readonly [string, string, unknown][] = [
  [
    'a member named garbage',
    CONTROL_PROTOCOL,
    { type: 'admit', member: { id: 'garbage', name: 'x', addresses: [] } },
  ],
  [
    'a member of ten thousand addresses',
    CONTROL_PROTOCOL,
    {
      type: 'admit',
      member: { id: peerId('x'), name: 'x', addresses: Array(10_000).fill('/ip4/127.0.0.1/tcp/1') },
    },
  ],
  [
    'a dispatch of a million ways',
    CONTROL_PROTOCOL,
    { type: 'dispatch', dispatch: { ...dispatch, ways: 1e6 } },
  ],
  [
    'a dispatch of a file by a path',
    CONTROL_PROTOCOL,
    { type: 'dispatch', dispatch: { ...dispatch, sha256: '../../etc/passwd' } },
  ],
  [
    'a dispatch whose file name is a path',
    CONTROL_PROTOCOL,
    { type: 'dispatch', dispatch: { ...dispatch, fileName: '../a' } },
  ],
  ['a cancel without a run', CONTROL_PROTOCOL, { type: 'cancel', attempt: 1 }],
  [
    'output from a negative offset',
    CONTROL_PROTOCOL,
    { type: 'output', runId: 'r', attempt: 1, stream: 'stdout', offset: -1 },
  ],
  ['a list in place of a request', CONTROL_PROTOCOL, [1, 2, 3]],
  [
    'a file larger than any',
    BLOB_PROTOCOL,
    { type: 'push', sha256: '0'.repeat(64), size: Number.MAX_SAFE_INTEGER },
  ],
];

test('what a hostile member sends never reaches a handler, and the node goes on answering', async () => {
  await using fleet = await Fleet.of(1);
  const { mesh, recorder } = fleet.at(0);
  const reached: string[] = [];
  recorder.control = async (_from, request) => {
    reached.push(request.type);
    return { type: 'held', attempts: [] };
  };
  const host = await createDialler(await generateKeyPair('Ed25519'));
  await host.start();
  try {
    mesh.setCluster('test', [...fleet.known(), { id: host.peerId.toString(), addresses: [] }]);
    const connection = await host.dial(multiaddr(mesh.addresses()[0] ?? ''));
    for (const [what, protocol, message] of MALICE) {
      const stream = await connection.newStream(protocol);
      const reader = new StreamReader(stream);
      await writeFrame(stream, encodeCbor(message));
      await assert.rejects(reader.expectFrame(MAX_FRAME_BYTES), { code: 'RESET' }, what);
    }
    assert.deepEqual(reached, []);
    const stream = await connection.newStream(CONTROL_PROTOCOL);
    const reader = new StreamReader(stream);
    await writeFrame(stream, encodeCbor({ type: 'held', fromANewerVersion: true }));
    const answer = await readMessage(reader, ControlResponse, MAX_FRAME_BYTES);
    assert.deepEqual([answer, reached], [{ type: 'held', attempts: [] }, ['held']]);
  } finally {
    await host.stop();
  }
});

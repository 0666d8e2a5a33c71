import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PeerId, Stream, StreamHandler, Topology } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { streamPair } from '@libp2p/utils';
import { MemberRegistrar, type MemberRegistrarDependencies } from '../../../node/mesh/member-registrar.ts';

const PROTOCOL = '/meshsub/1.2.0';

/** A registrar that keeps what it is given, as libp2p's does, and gossip that records what reaches it. */
async function setUp() {
  const members = new Set<string>();
  const given: { handler?: StreamHandler; topology?: Topology } = {};
  const registrar = {
    handle: async (_protocol: string, handler: StreamHandler) => {
      given.handler = handler;
    },
    register: async (_protocol: string, topology: Topology) => {
      given.topology = topology;
      return 'id';
    },
    unregister: () => {},
  } as unknown as MemberRegistrarDependencies['registrar'];
  const gate = new MemberRegistrar({ registrar, isHeard: (id) => members.has(id), onBytes: () => {} });
  const reached: string[] = [];
  await gate.handle(PROTOCOL, () => {
    reached.push('stream');
  });
  await gate.register(PROTOCOL, {
    onConnect: () => {
      reached.push('connect');
    },
    onDisconnect: () => {
      reached.push('disconnect');
    },
  });
  const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  const connection = { remotePeer: peer } as unknown as Connection;
  const arrive = async () => {
    const [stream] = await streamPair();
    given.handler?.(stream, connection);
    return stream;
  };
  const identified = () => given.topology?.onConnect?.(peer, connection);
  return { members, gate, reached, peer, connection, arrive, identified };
}

function become({
  members,
  gate,
  connection,
  peer,
}: {
  members: Set<string>;
  gate: MemberRegistrar;
  connection: Connection;
  peer: PeerId;
}) {
  members.add(peer.toString());
  gate.admit(connection);
}

test('a member reaches gossip at once', async () => {
  const fixture = await setUp();
  become(fixture);
  fixture.reached.length = 0;
  await fixture.identified();
  await fixture.arrive();
  assert.deepEqual(fixture.reached, ['connect', 'stream']);
});

test('a stranger does not reach gossip, and does when it becomes a member', async () => {
  const fixture = await setUp();
  await fixture.identified();
  const stream = await fixture.arrive();
  assert.deepEqual(fixture.reached, []);
  assert.equal(stream.status, 'open', 'kept, not refused: gossipsub would not open another');
  become(fixture);
  assert.deepEqual(fixture.reached, ['connect', 'stream']);
});

test('of a stranger one stream is kept, the newest', async () => {
  const fixture = await setUp();
  const streams: Stream[] = [await fixture.arrive(), await fixture.arrive(), await fixture.arrive()];
  assert.deepEqual(
    streams.map(({ status }) => status),
    ['aborted', 'aborted', 'open'],
  );
  become(fixture);
  assert.deepEqual(fixture.reached, ['connect', 'stream']);
});

test('a stream that ended while it waited is not handed on', async () => {
  const fixture = await setUp();
  const stream = await fixture.arrive();
  stream.abort(new Error('the stranger left'));
  become(fixture);
  assert.deepEqual(fixture.reached, ['connect']);
});

test('who is expelled is disconnected, and waits again as a stranger', async () => {
  const fixture = await setUp();
  become(fixture);
  fixture.members.clear();
  fixture.gate.expel(fixture.peer);
  fixture.reached.length = 0;
  await fixture.identified();
  await fixture.arrive();
  assert.deepEqual(fixture.reached, []);
});

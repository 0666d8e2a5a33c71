import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { ConnectionWatch } from '../../../node/mesh/connection-watch.ts';
import { WATCH_PERIOD_MS } from '../../../node/mesh/libp2p-settings.ts';
import type { MemberRegistrar } from '../../../node/mesh/member-registrar.ts';
import { PeerTable } from '../../../node/mesh/peer-table.ts';
import type { RaftLinks } from '../../../node/mesh/raft-links.ts';
import { FrameKind } from '../../../protocols/link/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

class FakeConnection {
  status = 'open';
  fate: 'open' | 'closed' | 'aborted' = 'open';
  streams = ['inbound', 'outbound'].map((direction) => ({
    direction,
    status: 'open',
    protocol: '/meshsub/1.2.0',
  }));
  readonly remotePeer: PeerId;
  readonly direction: 'inbound' | 'outbound';
  constructor(remotePeer: PeerId, direction: 'inbound' | 'outbound') {
    this.remotePeer = remotePeer;
    this.direction = direction;
  }
  async close() {
    this.fate = 'closed';
  }
  abort() {
    this.fate = 'aborted';
  }
}

/** A watch over one member, whose id is larger (or smaller) than this node's. */
async function watching(self = '') {
  const peer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  const id = peer.toString();
  const clock = new FakeClock(1000);
  const table = new PeerTable({ self }, { clock });
  table.setMembers([{ id, addresses: [] }]);
  const pings: Uint8Array[] = [];
  let revived = 0;
  const muted = new Set<string>();
  const links = {
    send: (_to: string, kind: number, token: Uint8Array) => {
      if (kind === FrameKind.PING) pings.push(token);
      return true;
    },
    proved: () => {},
  } as unknown as RaftLinks;
  const registrar = { revive: () => (revived += 1) } as unknown as MemberRegistrar;
  const watch = new ConnectionWatch({
    clock,
    logger: silentLogger,
    table,
    links,
    registrar: () => registrar,
    isMuted: () => muted.has(id),
  });
  watch.start();
  const open = (direction: 'inbound' | 'outbound') => {
    const connection = new FakeConnection(peer, direction);
    table.opened(connection as unknown as Connection);
    return connection;
  };
  const looks = (count: number, hearing: boolean) => {
    for (let look = 0; look < count; look += 1) {
      clock.advance(WATCH_PERIOD_MS - 1);
      if (hearing) table.heard(id);
      clock.advance(1);
    }
  };
  return { id, clock, table, watch, pings, open, looks, muted, revived: () => revived };
}

test('a peer from which nothing comes is given up; one that answers is not', async () => {
  const { open, looks, pings } = await watching();
  const connection = open('outbound');
  looks(20, true);
  assert.equal(connection.fate, 'open');
  assert.equal(pings.length, 20);
  looks(3, false);
  assert.equal(connection.fate, 'aborted');
});

test('a member whose gossip is not listened to stays connected without', async () => {
  const { id, open, looks, muted } = await watching();
  const connection = open('outbound');
  connection.streams = [];
  muted.add(id);
  looks(20, true);
  assert.equal(connection.fate, 'open');
  muted.clear();
  looks(4, true);
  assert.equal(connection.fate, 'aborted');
});

test('gossip that lost its stream is revived; where that does not help, the connection is given up', async () => {
  const { open, looks, revived } = await watching();
  const connection = open('outbound');
  const streams = connection.streams;
  connection.streams = [];
  looks(2, true);
  assert.equal(revived(), 2);
  connection.streams = streams;
  looks(5, true);
  assert.equal(connection.fate, 'open');
  connection.streams = [];
  looks(4, true);
  assert.equal(connection.fate, 'aborted');
});

test('a peer whose gossip fell silent although it answers is reconnected', async () => {
  const { id, open, looks, watch } = await watching();
  const connection = open('outbound');
  watch.gossiped(id);
  looks(11, true);
  assert.equal(connection.fate, 'open');
  looks(1, true);
  assert.equal(connection.fate, 'aborted');
});

test('what others brought of a peer while it was away is not held against its new connection', async () => {
  const { id, open, looks, watch, clock } = await watching();
  watch.forget(id);
  watch.gossiped(id);
  clock.advance(600_000);
  const connection = open('outbound');
  looks(1, true);
  assert.equal(connection.fate, 'open');
});

test('of two that crossed, the one that the larger id dialled is closed, by the smaller, once it is idle', async () => {
  for (const [self, closes] of [
    ['', true],
    ['~', false],
  ] as const) {
    const { open, looks } = await watching(self);
    const ours = open('outbound');
    const theirs = open('inbound');
    const busy = self === '' ? theirs : ours;
    busy.streams.push({ direction: 'inbound', status: 'open', protocol: '/fsched/blob/1.0.0' });
    looks(3, true);
    assert.deepEqual([ours.fate, theirs.fate], ['open', 'open'], 'a blob is on its way');
    busy.streams.pop();
    looks(1, true);
    assert.deepEqual([ours.fate, theirs.fate], ['open', closes ? 'closed' : 'open']);
  }
});

test('the round trip is measured from the second answer on', async () => {
  const { id, clock, open, pings, table, watch } = await watching();
  open('outbound');
  watch.ping(id);
  clock.advance(70);
  watch.ponged(id, pings[0] ?? new Uint8Array());
  assert.equal(table.get(id)?.rttMs, null);
  clock.advance(3);
  watch.ponged(id, pings[1] ?? new Uint8Array());
  assert.equal(table.get(id)?.rttMs, 3);
  watch.ponged(id, Buffer.alloc(8, 9));
  assert.equal(table.get(id)?.rttMs, 3, 'an answer to nothing');
});

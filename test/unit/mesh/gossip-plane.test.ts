import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GossipSub, Message, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub';
import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { CapacityBoard } from '../../../node/membership/capacity-board.ts';
import { GossipGuard } from '../../../node/mesh/gossip-guard.ts';
import { GossipPlane } from '../../../node/mesh/gossip-plane.ts';
import { PeerTable } from '../../../node/mesh/peer-table.ts';
import { capacityTopic } from '../../../protocols/gossip/index.ts';
import { CapacityNotice } from '../../../protocols/schema/capacity.ts';
import { encode } from '../../../protocols/wire/codec.ts';
import { noticeOf } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const VICTIM = '12D3KooWGzBXWNvHpPALvQhGdPSvCwjBBsbjNNVkQHWqLzqZTc3w';
const RELAY = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo';
type Validate = (relay: PeerId, message: Message) => TopicValidatorResult;

function setUp() {
  const clock = new FakeClock();
  const table = new PeerTable({ self: 'self' }, { clock });
  table.setMembers([VICTIM, RELAY].map((id) => ({ id, addresses: [] })));
  const topicValidators = new Map<string, Validate>();
  const gossip = {
    ...{ topicValidators, getTopics: () => [], subscribe: () => {}, unsubscribe: () => {} },
    ...{ allowedTopics: new Set(), score: { params: { topics: {} } } },
  };
  const board = new CapacityBoard({ clock, logger: silentLogger });
  const mutes: string[] = [];
  const guard = new GossipGuard({
    ...{ clock, logger: silentLogger, authors: () => 2 },
    onMute: (id, muted) => muted && mutes.push(id),
  });
  const plane = new GossipPlane({
    ...{ gossip: gossip as unknown as GossipSub, logger: silentLogger, table, guard },
    watch: { gossiped: () => {} },
    handlers: { onCapacity: (notice) => board.hear(notice), onDigest: () => true },
  });
  plane.setCluster('cluster');
  const validate = topicValidators.get(capacityTopic('cluster')) as Validate;
  const say = (sequence: number, relay: string) => {
    const data = encode(CapacityNotice, noticeOf(VICTIM, { sequence }));
    const message = { type: 'signed', from: peerIdFromString(VICTIM), data, topic: '' };
    return validate(peerIdFromString(relay), message as unknown as Message);
  };
  return { clock, table, board, mutes, say };
}

test('what is played again is not passed on, costs who brings it, and leaves its author heard', () => {
  const { board, mutes, say } = setUp();
  assert.equal(say(1000, VICTIM), 'accept');
  for (let sequence = 1; sequence < 900; sequence += 1) assert.equal(say(sequence, RELAY), 'ignore');
  assert.equal(say(1001, VICTIM), 'accept');
  assert.equal(board.get(VICTIM)?.notice.sequence, 1001);
  for (let round = 0; round < 5000 && mutes.length === 0; round += 1) say(1, RELAY);
  assert.deepEqual(mutes, [RELAY]);
});

test('what others bring of a member is no sign of life of the connection to it', () => {
  const { clock, table, say } = setUp();
  table.opened({ remotePeer: peerIdFromString(VICTIM) } as unknown as Connection);
  clock.advance(1000);
  say(1, RELAY);
  assert.equal(table.get(VICTIM)?.lastHeardAtMs, null);
  assert.equal(table.get(RELAY)?.lastHeardAtMs, clock.monotonicMs());
  say(2, VICTIM);
  assert.equal(table.get(VICTIM)?.lastHeardAtMs, clock.monotonicMs());
});

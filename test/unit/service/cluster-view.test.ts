import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OBJECTIONS, type PeerObjection } from '../../../node/consensus/objections.ts';
import { emptyStatus } from '../../../node/consensus/status-view.ts';
import { CapacityBoard } from '../../../node/membership/capacity-board.ts';
import { viewCluster } from '../../../node/service/cluster-view.ts';
import { memberOf, peerId } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { tablesWithTask } from '../state/fixtures.ts';

test('health names who said lately what no honest member says, and what to do', () => {
  const [self, liar] = [peerId('self'), peerId('liar')];
  const clock = new FakeClock(10_000_000);
  const { tables, apply } = tablesWithTask();
  apply({ type: 'member-put', member: memberOf(liar, { id: liar, name: 'mallory' }) });
  const now = clock.monotonicMs();
  const objections: PeerObjection[] = [
    { peer: liar, objection: 'second-leader', count: 3, lastAtMs: now - 1000 },
    { peer: liar, objection: 'unsound-append', count: 1, lastAtMs: now - 3_600_000 },
    { peer: self, objection: 'not-a-voter', count: 1, lastAtMs: now },
  ];
  const { health } = viewCluster({
    consensus: { status: () => emptyStatus(self), objections: () => objections },
    tables,
    board: new CapacityBoard({ clock, logger: silentLogger }),
    mesh: { id: self, peers: () => [] },
    clusterId: () => null,
    clock,
  });
  const named = health.reasons.filter((reason) => reason.includes('examine it'));
  assert.deepEqual(named, [
    `mallory ${OBJECTIONS['second-leader'].says}: examine it, or remove it with: fsched workers remove ${liar}`,
  ]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DigestBoard } from '../../../node/service/digest-board.ts';
import { peerId } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const [MASTER, OTHER] = ['master', 'other'].map(peerId) as [string, string];
const versions = { members: 0, tasks: 0, profiles: 0, runs: 0, models: 0, observations: 0 };
const digestOf = (commitIndex: number, term = 2, master = MASTER) => ({
  ...{ term, master, commitIndex, versions, queued: 0, running: 0 },
});

function setUp() {
  const clock = new FakeClock();
  const status = { leader: MASTER as string | null, term: 2, appliedIndex: 5 };
  return { clock, status, board: new DigestBoard({ status: () => status, clock }) };
}

test('an old digest that is played again changes nothing, and a lagging node knows that it lags', () => {
  const { board } = setUp();
  assert.ok(board.hear(digestOf(5)));
  assert.ok(board.isCaughtUp());
  assert.ok(board.hear(digestOf(9)));
  assert.equal(board.hear(digestOf(5)), false);
  assert.deepEqual([board.newest?.commitIndex, board.isCaughtUp()], [9, false]);
});

test('only the known leader of the present term is heeded', () => {
  const { board, status } = setUp();
  for (const other of [digestOf(9, 1), digestOf(9, 3), digestOf(9, 2, OTHER)])
    assert.equal(board.hear(other), false);
  assert.equal(board.newest, null);
  assert.ok(board.hear(digestOf(5)));
  status.term = 3;
  status.leader = OTHER;
  assert.equal(board.isCaughtUp(), false);
  assert.ok(board.hear(digestOf(4, 3, OTHER)), 'another term begins anew');
  status.leader = null;
  assert.equal(board.hear(digestOf(7, 3, OTHER)), false);
});

test('one that tells the same is passed on as often as the master says it, and no more', () => {
  const { board, clock } = setUp();
  assert.ok(board.hear(digestOf(5)));
  assert.equal(board.hear(digestOf(5)), false);
  clock.advance(1000);
  assert.ok(board.hear(digestOf(5)));
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emptyStatus } from '../../../node/consensus/status-view.ts';
import type { ConsensusStatus } from '../../../node/consensus/types.ts';
import { ControlDesk } from '../../../node/service/control-desk.ts';
import type { ControlRequest } from '../../../protocols/schema/messages.ts';
import { succeed } from '../../../protocols/schema/outcome.ts';
import { dispatchOf, peerId } from '../../builders/nouns.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';

const [SELF, MASTER, LIAR] = ['self', 'master', 'liar'].map(peerId) as [string, string, string];
const CANCEL: ControlRequest = { type: 'cancel', runId: 'r', attempt: 1 };
const dispatchIn = (term: number): ControlRequest => ({ type: 'dispatch', dispatch: dispatchOf({ term }) });

/** A worker that knows `MASTER` as the leader of term 5. */
function setUp(known: Partial<ConsensusStatus> = { term: 5, leader: MASTER }) {
  const clock = new FakeClock();
  const done: string[] = [];
  const listeners = new Set<(status: ConsensusStatus) => void>();
  let status: ConsensusStatus = { ...emptyStatus(SELF), ...known };
  const desk = new ControlDesk({
    master: () => null,
    consensus: {
      status: () => status,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    worker: {
      dispatch: async ({ term }) => {
        done.push(`dispatch of term ${term}`);
        return succeed(undefined);
      },
      cancel: () => done.push('cancel') > 0,
      held: () => [],
      output: () => null,
    },
    keys: {
      keep: async () => {
        done.push('key kept');
        return { type: 'ok' };
      },
      give: (to) => {
        done.push(`key given to ${to}`);
        return { type: 'ok' };
      },
    },
    clock,
  });
  const learn = (news: Partial<ConsensusStatus>): void => {
    status = { ...status, ...news };
    for (const listener of listeners) listener(status);
  };
  /** `ok`, or the code of the refusal. */
  const ask = async (from: string, request: ControlRequest): Promise<string> => {
    const answer = await desk.answer(from, request);
    return answer.type === 'refused' ? answer.code : answer.type;
  };
  return { ask, clock, done, learn, listeners };
}

describe('what runs on a worker, and what it says,', () => {
  const questions: readonly ControlRequest[] = [
    { type: 'held' },
    { type: 'output', runId: 'r', attempt: 1, stream: 'stdout', offset: 0 },
  ];
  for (const question of questions) {
    test(`is told to the master (${question.type})`, async () => {
      assert.equal(await setUp().ask(MASTER, question), question.type);
    });

    test(`is told to no other member (${question.type})`, async () => {
      const { ask, clock } = setUp();
      const answer = ask(LIAR, question);
      await settled();
      clock.advance(2_000);
      assert.equal(await answer, 'NOT_MASTER');
    });
  }
});

describe('the key of the cluster', () => {
  const keep: ControlRequest = { type: 'cluster-key-keep', term: 5, key: new Uint8Array(32) };

  test('is taken from the master of this term only', async () => {
    const { ask, done } = setUp();
    assert.equal(await ask(LIAR, keep), 'NOT_MASTER');
    assert.equal(await ask(MASTER, { ...keep, term: 4 }), 'NOT_MASTER');
    assert.deepEqual(done, []);
    assert.equal(await ask(MASTER, keep), 'ok');
    assert.deepEqual(done, ['key kept']);
  });

  test('is asked for by whoever the stream is from, and nobody else', async () => {
    const { ask, done } = setUp();
    await ask(LIAR, { type: 'cluster-key-ask', id: '0'.repeat(32) });
    assert.deepEqual(done, [`key given to ${LIAR}`]);
  });
});

describe('orders to a worker', () => {
  test('are taken from the master of this term', async () => {
    const { ask, done } = setUp();
    assert.deepEqual([await ask(MASTER, dispatchIn(5)), await ask(MASTER, CANCEL)], ['ok', 'ok']);
    assert.deepEqual(done, ['dispatch of term 5', 'cancel']);
  });

  test('are refused from anybody else, and of terms that are over', async () => {
    const { ask, clock, done, listeners } = setUp();
    assert.equal(await ask(LIAR, dispatchIn(5)), 'NOT_MASTER');
    assert.equal(await ask(MASTER, dispatchIn(4)), 'NOT_MASTER');
    // Somebody who says that he leads a later term, or cancels, is given a moment to turn out right.
    const late = [ask(LIAR, dispatchIn(6)), ask(LIAR, CANCEL)];
    await settled();
    clock.advance(2_000);
    assert.deepEqual(await Promise.all(late), ['NOT_MASTER', 'NOT_MASTER']);
    assert.deepEqual([done, listeners.size, clock.pending()], [[], 0, []]);
  });

  test('of a master that this node has not heard of yet wait until it has', async () => {
    const { ask, clock, done, learn } = setUp({ term: 5, leader: null });
    const early = [ask(MASTER, dispatchIn(6)), ask(MASTER, CANCEL)];
    await settled();
    assert.deepEqual(done, []);
    learn({ term: 6, leader: MASTER });
    assert.deepEqual(await Promise.all(early), ['ok', 'ok']);
    assert.deepEqual(clock.pending(), []);
  });
});

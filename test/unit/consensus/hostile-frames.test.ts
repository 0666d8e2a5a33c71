/** Frames that no honest member sends, from members that the mesh let in: what each may not do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeMessage } from '../../../node/consensus/codec.ts';
import { INITIAL_HARD_STATE } from '../../../node/consensus/log-store.ts';
import { memberToPlan, planMembership } from '../../../node/consensus/membership.ts';
import type { Message } from '../../../node/consensus/messages.ts';
import type { Entry } from '../../../node/consensus/types.ts';
import { hostileFrames } from '../../support/hostile-frames.ts';
import { MemoryDisk, MemoryLogStore } from '../../support/memory-log-store.ts';
import { Bench, ELECTION_TICKS, threeVoters, voters } from './bench.ts';
import { Rig } from './rig.ts';

const command = (term: number, index: number, text: string): Entry => ({
  kind: 'command',
  term,
  index,
  data: new TextEncoder().encode(text),
});

/** Voters a, b and c, which a leads in term 2; w only learns, and means harm. */
function withLearner(): Bench {
  const bench = new Bench(['a', 'b', 'c', 'w'], { voters: ['a', 'b', 'c'], learners: ['w'] });
  bench.campaign('a');
  bench.node('a').propose('kept');
  bench.deliver();
  return bench;
}

const state = (bench: Bench, id: string): unknown[] => {
  const { role, term, leader, commitIndex, lastIndex } = bench.node(id).core.status();
  return [role, term, leader, commitIndex, lastIndex, bench.node(id).log()];
};

describe('a member that has no vote', () => {
  for (const [who, from] of [
    ['a learner', 'w'],
    ['a member outside of the configuration', 'x'],
  ] as const) {
    for (const ahead of [0, 1, 5, 1_000_000]) {
      test(`${who}, ${ahead} terms ahead, changes no log, term, leader or commit index`, () => {
        const bench = withLearner();
        const before = ['a', 'b', 'c'].map((id) => state(bench, id));
        for (const message of hostileFrames(2 + ahead, 3, 2)) {
          for (const id of ['a', 'b', 'c']) bench.node(id).receive(from, message);
        }
        assert.deepEqual(
          ['a', 'b', 'c'].map((id) => state(bench, id)),
          before,
        );
        assert.equal(
          bench.sent.some(
            ({ from: by, message }) =>
              by !== 'a' &&
              message.type === 'vote-response' &&
              !message.pre &&
              message.granted &&
              message.term > 2,
          ),
          false,
        );
        bench.node('a').propose('after');
        bench.tick(3);
        for (const id of ['a', 'b', 'c']) assert.deepEqual(bench.node(id).commands(), ['kept', 'after']);
      });
    }
  }

  test('does not upset candidates either', () => {
    const bench = withLearner();
    for (const message of hostileFrames(9, 3, 2)) bench.node('b').receive('w', message);
    bench.tick(4 * ELECTION_TICKS, ({ from, to }) => from === 'a' || to === 'a');
    const heads = ['b', 'c'].map((id) => bench.node(id).core.head());
    assert.equal(heads.filter(({ role }) => role === 'leader').length, 1);
    assert.ok(
      heads.every(({ term }) => term < 9),
      'an honest election is a term or two away',
    );
  });

  test('is not the leader of a node that has just started, and knows none', () => {
    const bench = withLearner();
    bench.node('b').start();
    for (const message of hostileFrames(2, 3, 2)) bench.node('b').receive('w', message);
    assert.deepEqual(bench.node('b').core.head().leader, null);
    assert.equal(bench.node('b').refused.filter((objection) => objection === 'not-a-voter').length, 5);
  });

  test('a removed member has none: not where its removal is committed', () => {
    const bench = threeVoters();
    bench.campaign('a');
    bench.node('a').step({ type: 'propose-change', change: { type: 'remove', node: 'c' } });
    bench.tick(3);
    const before = ['a', 'b'].map((id) => state(bench, id));
    for (const message of hostileFrames(7, 3, 2))
      for (const id of ['a', 'b']) bench.node(id).receive('c', message);
    assert.deepEqual(
      ['a', 'b'].map((id) => state(bench, id)),
      before,
    );
  });

  test('one that lost its vote while it campaigned in vain is heard again, but no further than that', () => {
    const bench = withLearner();
    bench.node('a').step({ type: 'propose-change', change: { type: 'demote', node: 'c' } });
    bench.deliverWithout('c');
    const { hardState } = bench.node('c').disk;
    bench.node('c').disk.write({ hardState: { ...hardState, term: 4, votedFor: 'c' }, entries: [] });
    bench.node('c').start();
    bench.tick(6 * ELECTION_TICKS);
    assert.deepEqual(bench.node('c').log(), bench.node('a').log());
    const { term } = bench.node('a').core.head();
    assert.ok(term > 4);
    bench
      .node('a')
      .receive('c', { type: 'append-rejected', term: 40, previousIndex: 1, hintIndex: 0, hintTerm: 0 });
    assert.equal(bench.node('a').core.head().term, term);
    assert.equal(bench.node('a').refused.at(-1), 'term-of-a-learner');
  });
});

describe('a voter that lies ends nobody', () => {
  test('a second leader of a term is dropped and told, by the leader and by its followers', () => {
    const bench = withLearner();
    for (const id of ['a', 'b']) {
      const before = state(bench, id);
      for (const message of hostileFrames(2, 3, 2).slice(0, 3)) bench.node(id).receive('c', message);
      assert.deepEqual(state(bench, id), before);
      assert.deepEqual(bench.node(id).refused, ['second-leader', 'second-leader', 'second-leader']);
    }
    bench.node('a').propose('after');
    bench.tick(3);
    assert.deepEqual(bench.node('b').commands(), ['kept', 'after']);
  });

  test('what is committed here is contradicted in vain', () => {
    const bench = withLearner();
    const log = bench.node('b').log();
    const append = { type: 'append', term: 3, commitIndex: 3 } as const;
    bench
      .node('b')
      .receive('c', { ...append, previousIndex: 2, previousTerm: 2, entries: [command(3, 3, 'other')] });
    bench
      .node('b')
      .receive('c', { ...append, previousIndex: 1, previousTerm: 1, entries: [command(3, 2, 'other')] });
    bench.node('b').receive('c', { ...append, previousIndex: 3, previousTerm: 1, entries: [] });
    assert.deepEqual(bench.node('b').log(), log);
    assert.deepEqual(bench.node('b').refused, Array(3).fill('contradicts-commit'));
  });

  test('entries with gaps, of falling terms or of a later term than their leader, and configurations without voters', () => {
    const bench = withLearner();
    const append = { type: 'append', term: 3, previousIndex: 3, previousTerm: 2, commitIndex: 9 } as const;
    const nobody: Entry = {
      kind: 'configuration',
      term: 3,
      index: 4,
      configuration: { voters: [], learners: ['b'] },
    };
    for (const entries of [
      [command(3, 5, 'w')],
      [command(3, 4, 'w'), command(3, 6, 'w')],
      [command(1, 4, 'w')],
      [command(4, 4, 'w')],
      [command(3, Number.MAX_SAFE_INTEGER, 'w')],
      [nobody],
    ]) {
      bench.node('b').receive('c', { ...append, entries });
    }
    bench.node('b').receive('c', { ...append, previousTerm: 9, entries: [] });
    assert.equal(bench.node('b').core.log.lastIndex, 3);
    assert.deepEqual(bench.node('b').refused, Array(7).fill('unsound-append'));
  });

  test('an acknowledgement of what was never sent counts for nothing', () => {
    const bench = withLearner();
    bench.node('a').receive('c', { type: 'append-accepted', term: 2, matchIndex: 99 });
    assert.deepEqual(bench.node('a').refused, ['acknowledges-too-much']);
    assert.equal(bench.node('a').core.status().progress.get('c')?.matchIndex, 3);
  });

  test('an answered heartbeat brings one append, however often it is answered', () => {
    const bench = withLearner();
    bench.node('a').propose('not for w');
    bench.deliverWithout('w');
    bench.node('a').tick();
    const start = bench.sent.length;
    for (let answer = 0; answer < 50; answer++)
      bench.node('a').receive('w', { type: 'heartbeat-response', term: 2 });
    const appends = bench.sent
      .slice(start)
      .filter(({ to, message }) => to === 'w' && message.type === 'append');
    assert.equal(appends.length, 1);
  });
});

describe('a node whose log is behind', () => {
  /** a, b and c vote; while c is away d becomes a voter in place of a learner, and the longest log is d's. */
  function grown(): Bench {
    const bench = new Bench(['a', 'b', 'c', 'd'], voters('a', 'b', 'c'));
    bench.node('d').step({ type: 'introduce', by: ['b'] });
    bench.campaign('a');
    bench.deliver();
    const away = ({ from, to }: { from: string; to: string }): boolean => from === 'c' || to === 'c';
    for (const type of ['add-learner', 'promote'] as const) {
      bench.node('a').step({ type: 'propose-change', change: { type, node: 'd' } });
      bench.tick(4, away);
    }
    bench.node('a').propose('d has it, b has not');
    bench.deliver((letter) => away(letter) || letter.to === 'b');
    return bench;
  }

  test('learns of a voter that was made meanwhile, votes for it and follows it', () => {
    const bench = grown();
    // a is lost for good: of b, c and d, a majority of four, only d can be elected, and c doesn't know it.
    bench.tick(12 * ELECTION_TICKS, ({ from, to }) => from === 'a' || to === 'a');
    assert.equal(bench.node('d').core.head().role, 'leader');
    assert.deepEqual(bench.node('c').log(), bench.node('d').log());
  });

  test('believes that of no learner', () => {
    const bench = grown();
    const word = {
      type: 'voters-response',
      term: 2,
      configurationIndex: 9,
      configurationTerm: 2,
      voters: ['d', 'w'],
    } as const;
    bench.node('c').receive('w', word);
    bench.node('c').receive('d', word);
    assert.deepEqual(bench.node('c').core.head().vouched, []);
    bench.node('c').receive('b', { ...word, voters: ['a', 'b', 'c', 'd'] });
    assert.ok(bench.node('c').core.head().vouched.includes('d'));
  });
});

describe('what voters vouched for', () => {
  const later = (voters: readonly string[], changes: object = {}): Message => ({
    type: 'voters-response',
    term: 9,
    configurationIndex: Number.MAX_SAFE_INTEGER,
    configurationTerm: 9,
    voters,
    ...changes,
  });

  test('is forgotten once the log has brought it: a node that joins lets nobody in by it for ever', () => {
    const bench = new Bench(['a', 'b', 'c', 'w'], voters('a', 'b', 'c'));
    bench.campaign('a');
    bench.node('w').step({ type: 'introduce', by: ['b'] });
    bench.deliver();
    assert.deepEqual([...bench.node('w').core.head().vouched].sort(), ['a', 'b', 'c']);
    for (const change of [
      { type: 'add-learner', node: 'w' },
      { type: 'remove', node: 'c' },
    ] as const) {
      bench.node('a').step({ type: 'propose-change', change });
      bench.tick(4);
    }
    assert.deepEqual(bench.node('w').core.head().configuration, { voters: ['a', 'b'], learners: ['w'] });
    assert.deepEqual(bench.node('w').core.head().vouched, []);
  });

  test('counts no longer than who vouched: a voter that is removed takes its own word, and its puppets, along', () => {
    const bench = new Bench(['a', 'b', 'c', 'x'], voters('a', 'b', 'c', 'x'));
    bench.campaign('a');
    bench.deliver();
    for (const id of ['a', 'b', 'c']) {
      bench.node(id).receive('x', later(['x', 'puppet']));
      bench.node(id).receive('puppet', later(['x', 'puppet', 'another']));
      assert.ok(bench.node(id).core.head().vouched.includes('another'), 'as long as it has a vote');
    }
    bench.node('a').step({ type: 'propose-change', change: { type: 'remove', node: 'x' } });
    bench.tick(4);
    const before = ['a', 'b', 'c'].map((id) => state(bench, id));
    for (const id of ['a', 'b', 'c']) {
      assert.deepEqual(bench.node(id).core.head().vouched, [], id);
      for (const from of ['x', 'puppet', 'another']) {
        for (const message of hostileFrames(3, 4, 2)) bench.node(id).receive(from, message);
      }
    }
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => state(bench, id)),
      before,
    );
  });

  test('is of no later term than its author, and neither of many voters nor by many', () => {
    const bench = withLearner();
    const b = bench.node('b');
    b.receive('c', later(['c', 'puppet'], { term: 2, configurationTerm: Number.MAX_SAFE_INTEGER }));
    assert.deepEqual([b.core.head().vouched, b.refused], [[], ['absurd-term']]);
    const many = (name: string): string[] => Array.from({ length: 4096 }, (_, at) => `${name}${at}`);
    b.receive('c', later(many('p')));
    for (const puppet of b.core.head().vouched) b.receive(puppet, later(many(puppet)));
    for (const puppet of b.core.head().vouched) b.receive(puppet, later(many(puppet)));
    assert.ok(b.core.head().vouched.length <= 80 * 16, `${b.core.head().vouched.length} ids`);
    b.receive('a', later(['late']));
    assert.ok(b.core.head().vouched.includes('late'), 'the word of its own voters always finds room');
  });

  test('a node that joins goes on believing who let it in where all voters that its log begins with are gone', () => {
    const bench = new Bench(['a', 'b', 'w'], voters('a'), { maxAppendBytes: 1 });
    const change = (type: 'add-learner' | 'promote' | 'remove', node: string, by: string): void => {
      bench.node(by).step({ type: 'propose-change', change: { type, node } });
      bench.tick(4);
    };
    bench.campaign('a');
    bench.node('b').step({ type: 'introduce', by: ['a'] });
    change('add-learner', 'b', 'a');
    change('promote', 'b', 'a');
    change('remove', 'a', 'a');
    const isGone = ({ from, to }: { from: string; to: string }): boolean => from === 'a' || to === 'a';
    bench.tick(4 * ELECTION_TICKS, isGone);
    assert.equal(bench.node('b').core.head().role, 'leader');
    bench.node('w').step({ type: 'introduce', by: ['b'] });
    bench.node('b').step({ type: 'propose-change', change: { type: 'add-learner', node: 'w' } });
    bench.tick(6 * ELECTION_TICKS, isGone);
    assert.deepEqual(bench.node('w').log(), bench.node('b').log());
    assert.deepEqual(bench.node('w').core.head().vouched, []);
  });
});

test('a learner that never answered is neither alive nor caught up, on however young a log', () => {
  const bench = new Bench(['a', 'b', 'c'], voters('a'));
  bench.campaign('a');
  for (const id of ['b', 'c']) {
    bench.node(id).step({ type: 'introduce', by: ['a'] });
    bench.node('a').step({ type: 'propose-change', change: { type: 'add-learner', node: id } });
    // b hears all, and never says a word.
    bench.tick(3, ({ from }) => from === 'b');
  }
  const status = bench.node('a').core.status();
  const plan = (): unknown =>
    planMembership({
      self: 'a',
      configuration: status.configuration,
      maxVoters: 3,
      members: ['a', 'b', 'c'].map((id) => memberToPlan(status, id)),
    });
  assert.deepEqual(memberToPlan(status, 'b'), { id: 'b', alive: false, caughtUp: false, mayVote: true });
  assert.deepEqual(memberToPlan(status, 'c'), { id: 'c', alive: true, caughtUp: true, mayVote: true });
  assert.equal(plan(), null, 'two voters are no better than one');
});

describe('terms', () => {
  test('however far and often a voter raises the term, elections go on, also for who was away', async () => {
    await using rig = new Rig();
    const [a, b, c] = await rig.cluster('a', 'b', 'c');
    rig.away.add('b');
    for (const term of [2 ** 20, 2 ** 21, 2 ** 30, rig.clock.nowMs(), 2 ** 50, Number.MAX_SAFE_INTEGER]) {
      a?.driver.receive(
        'c',
        encodeMessage({ type: 'append-rejected', term, previousIndex: 0, hintIndex: 0, hintTerm: 0 }),
      );
    }
    assert.ok((a?.driver.status().term ?? 0) <= rig.clock.nowMs());
    // The liar is stopped; the other two have to do.
    await c?.driver.stop();
    rig.away.add('c').delete('b');
    await rig.clock.until(() => rig.leader() !== undefined);
    assert.equal((await rig.leader()?.propose('x'))?.ok, true);
    assert.deepEqual([...(a?.fatal ?? []), ...(b?.fatal ?? [])], []);
  });

  test('nodes that kept an absurd term come back', async () => {
    await using rig = new Rig();
    await rig.cluster('a', 'b', 'c');
    await rig.node('a').propose('kept');
    await rig.clock.pass(300);
    for (const id of ['a', 'b', 'c']) {
      rig.crash(id);
      const disk = rig.stores.get(id)?.disk ?? new MemoryDisk();
      disk.hardState = { ...disk.hardState, term: Number.MAX_SAFE_INTEGER, votedFor: id };
      await rig.add(id);
    }
    await rig.clock.until(() => rig.leader() !== undefined);
    assert.equal((await rig.leader()?.propose('x'))?.ok, true);
    assert.deepEqual(rig.leader()?.machine.applied, ['kept', 'x']);
  });

  test('a log with entries of an absurd term is not opened, and the message says what to do', async () => {
    await using rig = new Rig();
    const disk = new MemoryDisk();
    const term = Number.MAX_SAFE_INTEGER;
    disk.write({ hardState: { ...INITIAL_HARD_STATE, term }, entries: [command(term, 1, 'x')] });
    rig.stores.set('a', new MemoryLogStore(disk));
    await assert.rejects(rig.add('a'), { code: 'CORRUPT', message: /remove the data directory/ });
  });
});

test('frames are dropped, counted and told once a minute, and the node goes on', async () => {
  await using rig = new Rig();
  const [a, b] = await rig.cluster('a', 'b', 'c');
  const { term, commitIndex } = a?.driver.status() ?? { term: 0, commitIndex: 0 };
  const frames: Message[] = [
    { type: 'heartbeat', term, commitIndex: 0 },
    { type: 'append', term, previousIndex: commitIndex, previousTerm: term, commitIndex: 99, entries: [] },
    { type: 'append-accepted', term, matchIndex: 99 },
  ];
  for (let round = 0; round < 1000; round++)
    for (const frame of frames) a?.driver.receive('c', encodeMessage(frame));
  a?.driver.receive('c', Uint8Array.of(255, 1, 2));
  assert.deepEqual(
    a?.driver.objections().map(({ peer, objection, count }) => [peer, objection, count]),
    [
      ['c', 'second-leader', 2000],
      ['c', 'acknowledges-too-much', 1000],
      ['c', 'malformed', 1],
    ],
  );
  assert.equal(rig.told.filter(({ peer }) => peer === 'c').length, 3);
  assert.equal((await a?.propose('x'))?.ok, true);
  await rig.clock.pass(300);
  assert.deepEqual([a?.fatal, b?.fatal, b?.machine.applied], [[], [], ['x']]);
});

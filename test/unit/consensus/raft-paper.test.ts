/** What the Raft paper (extended version) demands, section by section. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Entry, HardState } from '../../../node/consensus/types.ts';
import { Bench, ELECTION_TICKS, threeVoters, voters } from './bench.ts';

const entry = (term: number, index: number): Entry => ({
  kind: 'command',
  term,
  index,
  data: new TextEncoder().encode(`${term}.${index}`),
});

/** A log whose entries are of these terms, after the configuration at index 1. */
function give(bench: Bench, id: string, terms: readonly number[], hardState: Partial<HardState> = {}): void {
  const node = bench.node(id);
  const entries = terms.map((term, position) => entry(term, position + 2));
  node.disk.write({
    hardState: { term: terms.at(-1) ?? 1, votedFor: null, commitIndex: 1, ...hardState },
    entries,
  });
  node.start();
}

describe('section 5.1: terms', () => {
  test('"if one server\'s current term is smaller than the other\'s, then it updates its current term to the larger value"', () => {
    const bench = threeVoters();
    bench.node('a').receive('b', {
      type: 'append',
      term: 7,
      previousIndex: 1,
      previousTerm: 1,
      commitIndex: 1,
      entries: [],
    });
    assert.equal(bench.node('a').core.head().term, 7);
  });

  test('"if a candidate or leader discovers that its term is out of date, it immediately reverts to follower state"', () => {
    const bench = threeVoters();
    bench.campaign('a');
    assert.equal(bench.node('a').core.head().role, 'leader');
    bench
      .node('a')
      .receive('b', { type: 'append-rejected', term: 9, previousIndex: 1, hintIndex: 1, hintTerm: 1 });
    assert.deepEqual([bench.node('a').core.head().role, bench.node('a').core.head().term], ['follower', 9]);
  });

  test('"if a server receives a request with a stale term number, it rejects the request"', () => {
    const bench = threeVoters();
    give(bench, 'a', [4]);
    bench.node('a').receive('b', {
      type: 'append',
      term: 3,
      previousIndex: 2,
      previousTerm: 4,
      commitIndex: 1,
      entries: [entry(4, 3)],
    });
    assert.equal(bench.node('a').core.log.lastIndex, 2);
    assert.equal(bench.sentBy('a', 'append-rejected').at(-1)?.term, 4);
  });
});

describe('section 5.2: leader election', () => {
  test('"if a follower receives no communication over a period of time called the election timeout, then it … begins an election"', () => {
    const bench = threeVoters();
    bench.node('a').tick(ELECTION_TICKS - 1);
    assert.equal(bench.sent.length, 0);
    bench.node('a').tick();
    assert.deepEqual(
      bench.mail.map(({ to }) => to),
      ['b', 'c'],
    );
  });

  test('"it increments its current term … votes for itself and issues RequestVote RPCs in parallel to each of the other servers"', () => {
    const bench = threeVoters();
    bench.campaign('a', ({ message }) => message.type === 'vote-request' && !message.pre);
    assert.deepEqual(bench.node('a').disk.hardState, { term: 2, votedFor: 'a', commitIndex: 1 });
    const requests = bench.sentBy('a', 'vote-request').filter(({ pre }) => !pre);
    assert.deepEqual(
      requests.map(({ term }) => term),
      [2, 2],
    );
  });

  test('"a candidate wins an election if it receives votes from a majority of the servers in the full cluster"', () => {
    for (const [silent, wins] of [
      [[], true],
      [['c'], true],
      [['b', 'c'], false],
    ] as const) {
      const bench = threeVoters();
      bench.campaign('a', ({ from, to }) => silent.some((id) => id === from || id === to));
      assert.equal(bench.node('a').core.head().role === 'leader', wins, `without ${silent.join(' and ')}`);
    }
  });

  test('"each server will vote for at most one candidate in a given term, on a first-come-first-served basis"', () => {
    const bench = threeVoters();
    const request = { type: 'vote-request', pre: false, term: 2, lastIndex: 1, lastTerm: 1 } as const;
    bench.node('c').receive('a', request);
    bench.node('c').receive('b', request);
    bench.node('c').receive('a', request);
    assert.deepEqual(
      bench.sentBy('c', 'vote-response').map(({ granted }) => granted),
      [true, false, true],
    );
  });

  test('a vote is remembered across a restart ("vote forgotten on restart")', () => {
    const bench = threeVoters();
    const request = { type: 'vote-request', pre: false, term: 2, lastIndex: 1, lastTerm: 1 } as const;
    bench.node('c').receive('a', request);
    bench.node('c').start();
    bench.node('c').receive('b', request);
    assert.deepEqual(
      bench.sentBy('c', 'vote-response').map(({ granted }) => granted),
      [true, false],
    );
  });

  test('"if the leader\'s term is at least as large as the candidate\'s current term, then the candidate … returns to follower state"', () => {
    const bench = threeVoters();
    bench.campaign('a', ({ message }) => message.type === 'vote-response' && !message.pre);
    assert.equal(bench.node('a').core.head().role, 'candidate');
    bench.node('a').receive('b', { type: 'heartbeat', term: 2, commitIndex: 1 });
    assert.deepEqual(
      [bench.node('a').core.head().role, bench.node('a').core.head().leader],
      ['follower', 'b'],
    );
  });

  test('"election timeouts are chosen randomly from a fixed interval" of one to two times the shortest', () => {
    const timeouts = [0, 0.5, 0.999].map((luck) => {
      const bench = threeVoters();
      bench.node('a').luck = luck;
      bench.node('a').start();
      let ticks = 0;
      while (bench.sent.length === 0) {
        bench.node('a').tick();
        ticks++;
      }
      return ticks;
    });
    assert.deepEqual(timeouts, [ELECTION_TICKS, 1.5 * ELECTION_TICKS, 2 * ELECTION_TICKS - 1]);
  });

  test('leaders "send periodic heartbeats … to all followers in order to maintain their authority"', () => {
    const bench = threeVoters();
    bench.campaign('a');
    bench.tick(10 * ELECTION_TICKS);
    assert.equal(bench.node('a').core.head().role, 'leader');
    assert.equal(bench.node('a').core.head().term, 2);
  });
});

describe('section 5.3: log replication', () => {
  test('"a log entry is committed once the leader that created the entry has replicated it on a majority of the servers"', () => {
    const bench = threeVoters();
    bench.campaign('a');
    bench.node('a').propose('x');
    bench.deliverWithout('b', 'c');
    assert.deepEqual(bench.node('a').commands(), []);
    bench.tick(1, ({ from, to }) => from === 'c' || to === 'c');
    assert.deepEqual(bench.node('a').commands(), ['x']);
  });

  test('"once a follower learns that a log entry is committed, it applies the entry to its local state machine (in log order)"', () => {
    const bench = threeVoters();
    bench.campaign('a');
    bench.node('a').propose('x', 'y');
    bench.deliver();
    for (const id of ['a', 'b', 'c']) assert.deepEqual(bench.node(id).commands(), ['x', 'y']);
  });

  test('"if the follower does not find an entry in its log with the same index and term, then it refuses the new entries"', () => {
    const bench = threeVoters();
    give(bench, 'b', [2, 2]);
    for (const [previousIndex, previousTerm, fits] of [
      [3, 2, true],
      [3, 3, false],
      [4, 2, false],
    ] as const) {
      const start = bench.sent.length;
      bench
        .node('b')
        .receive('a', { type: 'append', term: 5, previousIndex, previousTerm, commitIndex: 1, entries: [] });
      assert.equal(
        bench.sentBy('b', 'append-accepted', start).length,
        fits ? 1 : 0,
        `${previousIndex}@${previousTerm}`,
      );
    }
  });

  test('figure 7: a leader brings followers of every kind into line with its log', () => {
    const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const followers: Record<string, number[]> = {
      a: [1, 1, 1, 4, 4, 5, 5, 6, 6],
      b: [1, 1, 1, 4],
      c: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      d: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      e: [1, 1, 1, 4, 4, 4, 4],
      f: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    };
    const ids = ['l', ...Object.keys(followers)];
    const bench = new Bench(ids, voters(...ids));
    give(bench, 'l', leaderTerms, { term: 7 });
    for (const [id, terms] of Object.entries(followers)) give(bench, id, terms, { term: Math.max(...terms) });
    bench.campaign('l');
    assert.equal(bench.node('l').core.head().role, 'leader');
    bench.tick(3);
    for (const id of ids) assert.deepEqual(bench.node(id).log(), bench.node('l').log(), id);
  });

  test('conflicts are skipped a term at a time: "one AppendEntries RPC will be required for each term with conflicting entries"', () => {
    const bench = threeVoters();
    give(bench, 'a', [...Array<number>(50).fill(2), 5, 5], { term: 5 });
    give(bench, 'b', [...Array<number>(20).fill(2), ...Array<number>(60).fill(3)], { term: 4 });
    bench.campaign('a');
    bench.tick(2);
    assert.deepEqual(bench.node('b').log(), bench.node('a').log());
    assert.ok(bench.sentBy('b', 'append-rejected').length <= 3, 'too many probes');
  });

  test('a delayed, shorter append doesn\'t cut the log (figure 2, AppendEntries, step 3: only "if an existing entry conflicts")', () => {
    const bench = threeVoters();
    const append = { type: 'append', term: 2, previousIndex: 1, previousTerm: 1, commitIndex: 1 } as const;
    bench.node('b').receive('a', { ...append, entries: [entry(2, 2), entry(2, 3)] });
    bench.node('b').receive('a', { ...append, entries: [entry(2, 2)] });
    assert.equal(bench.node('b').core.log.lastIndex, 3);
  });
});

describe('section 5.4: safety', () => {
  test('5.4.1: "the voter denies its vote if its own log is more up-to-date than that of the candidate"', () => {
    const cases = [
      { own: [2, 2], lastIndex: 3, lastTerm: 2, granted: true },
      { own: [2, 2], lastIndex: 2, lastTerm: 2, granted: false },
      { own: [2, 2], lastIndex: 2, lastTerm: 3, granted: true },
      { own: [3], lastIndex: 9, lastTerm: 2, granted: false },
    ];
    for (const { own, lastIndex, lastTerm, granted } of cases) {
      for (const pre of [true, false]) {
        const bench = threeVoters();
        give(bench, 'b', own);
        bench.node('b').receive('a', { type: 'vote-request', pre, term: 9, lastIndex, lastTerm });
        assert.equal(
          bench.sentBy('b', 'vote-response').at(-1)?.granted,
          granted,
          JSON.stringify({ own, lastIndex, lastTerm, pre }),
        );
      }
    }
  });

  test('5.4.2, figure 8: "Raft never commits log entries from previous terms by counting replicas"', () => {
    const bench = threeVoters({ maxAppendBytes: 1 });
    give(bench, 'a', [2], { term: 3 });
    // The noop of the new term never fits, so that b and c acknowledge only the entry of term 2.
    const fits = (to: string): boolean => bench.node(to).core.log.lastIndex >= 2;
    bench.campaign(
      'a',
      ({ to, message }) => message.type === 'append' && message.previousIndex === 2 && fits(to),
    );
    assert.equal(bench.node('b').core.log.termAt(2), 2);
    assert.equal(bench.node('a').core.status().commitIndex, 1);
    bench.tick(2);
    assert.equal(bench.node('a').core.status().commitIndex, 3);
  });
});

describe("section 6 and Ongaro's thesis: membership", () => {
  test('thesis 4.1: "each server uses the latest configuration in its log, regardless of whether the entry is committed"', () => {
    const bench = new Bench(['a', 'b'], voters('a'));
    bench.campaign('a');
    bench.node('b').step({ type: 'introduce', by: ['a'] });
    bench.node('a').step({ type: 'propose-change', change: { type: 'add-learner', node: 'b' } });
    bench.deliver();
    bench.node('a').step({ type: 'propose-change', change: { type: 'promote', node: 'b' } });
    bench.deliverWithout('b');
    assert.deepEqual(bench.node('a').core.head().configuration.voters, ['a', 'b']);
    bench.node('a').propose('x');
    bench.deliverWithout('b');
    assert.deepEqual(bench.node('a').commands(), [], 'b has to hold it from now on');
    bench.tick(2);
    assert.deepEqual(bench.node('a').commands(), ['x']);
  });

  test('thesis 4.1: a configuration that is truncated is "rolled back to the previous configuration"', () => {
    const bench = new Bench(['a', 'b', 'c', 'd'], voters('a', 'b', 'c'));
    bench.campaign('a');
    bench.node('a').step({ type: 'propose-change', change: { type: 'add-learner', node: 'd' } });
    bench.deliverWithout('b', 'c', 'd');
    assert.deepEqual(bench.node('a').core.head().configuration.learners, ['d']);
    bench.tick(4 * ELECTION_TICKS, ({ from, to }) => from === 'a' || to === 'a');
    bench.tick(2 * ELECTION_TICKS);
    assert.deepEqual(bench.node('a').core.head().configuration, voters('a', 'b', 'c'));
  });

  test('thesis 4.2.2: a leader that was removed "steps down once the Cnew entry is committed", and doesn\'t count itself before', () => {
    const bench = threeVoters();
    bench.campaign('a');
    bench.node('a').step({ type: 'propose-change', change: { type: 'remove', node: 'a' } });
    bench.deliverWithout('c');
    assert.equal(bench.node('a').core.head().role, 'leader', 'one of b and c is no majority of them');
    bench.tick(1);
    assert.equal(bench.node('a').core.head().role, 'follower');
    bench.tick(4 * ELECTION_TICKS);
    const leaders = ['b', 'c'].filter((id) => bench.node(id).core.head().role === 'leader');
    assert.equal(leaders.length, 1);
    assert.notEqual(bench.node('a').core.head().role, 'leader');
  });

  test('thesis 4.2.2: "a server that is not part of its own latest configuration should still start new elections" until it is committed', () => {
    const bench = new Bench(['a', 'b'], voters('a', 'b'));
    bench.campaign('a');
    bench.node('a').step({ type: 'propose-change', change: { type: 'demote', node: 'a' } });
    bench.mail = [];
    bench.node('a').start();
    // Only a holds the entry: b can't be elected, and a isn't a voter by it.
    bench.tick(6 * ELECTION_TICKS);
    assert.deepEqual(bench.node('b').core.head().configuration, { voters: ['b'], learners: ['a'] });
    assert.equal(bench.node('b').core.head().role, 'leader');
  });

  test('thesis 4.2.3: a server "does not grant its vote" while it hears from a current leader', () => {
    const bench = threeVoters();
    bench.campaign('a');
    const start = bench.sent.length;
    bench.node('b').receive('c', { type: 'vote-request', pre: false, term: 9, lastIndex: 99, lastTerm: 8 });
    assert.equal(bench.sentBy('b', 'vote-response', start).length, 0);
    assert.equal(bench.node('b').core.head().term, 2);
  });

  test('thesis 6.2: a leader "steps down if an election timeout elapses without a successful round of heartbeats to a majority"', () => {
    const bench = threeVoters();
    bench.campaign('a');
    bench.tick(ELECTION_TICKS + 1, ({ from, to }) => from === 'a' || to === 'a');
    assert.equal(bench.node('a').core.head().role, 'follower');
    assert.equal(bench.node('a').core.head().leader, null);
  });

  test('thesis 9.6: a pre-vote changes no term', () => {
    const bench = threeVoters();
    bench.campaign('a', ({ message }) => message.type === 'vote-response');
    assert.deepEqual(
      ['a', 'b', 'c'].map((id) => bench.node(id).core.head().term),
      [1, 1, 1],
    );
  });
});

describe('section 8: clients', () => {
  test('"each leader commit[s] a blank no-op entry into the log at the start of its term"', () => {
    const bench = threeVoters();
    bench.campaign('a');
    assert.deepEqual(bench.node('c').log(), ['1:{a b c|}', '2:noop']);
    assert.equal(bench.node('a').core.head().ready, true);
  });
});

/** Bugs that other implementations of Raft had, by their names. Each test fails when the bug is put back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from '../../../node/consensus/types.ts';
import { Bench, ELECTION_TICKS, threeVoters, voters } from './bench.ts';

const command = (term: number, index: number, text: string): Entry => ({
  kind: 'command',
  term,
  index,
  data: new TextEncoder().encode(text),
});

test('etcd-io/etcd#8501, #8243, #10355: pre-vote with lagging terms does not deadlock elections', () => {
  const bench = threeVoters();
  // b has the later term, a the longer log: neither could be elected without learning of the other.
  bench.node('a').disk.write({
    hardState: { term: 2, votedFor: null, commitIndex: 1 },
    entries: [command(2, 2, 'x')],
  });
  bench.node('b').disk.write({ hardState: { term: 9, votedFor: 'b', commitIndex: 1 }, entries: [] });
  for (const id of ['a', 'b']) bench.node(id).start();
  bench.tick(6 * ELECTION_TICKS, ({ from, to }) => from === 'c' || to === 'c');
  assert.equal(bench.node('a').core.head().role, 'leader');
  assert.ok(bench.node('a').core.head().term > 9);
});

test('etcd-io/etcd#8501: a leader hears of the later term of a node that it cannot reach otherwise', () => {
  const bench = threeVoters();
  bench.campaign('a');
  bench.node('c').disk.write({ hardState: { term: 9, votedFor: 'c', commitIndex: 1 }, entries: [] });
  bench.node('c').start();
  bench.tick(6 * ELECTION_TICKS);
  const terms = ['a', 'b', 'c'].map((id) => bench.node(id).core.head().term);
  assert.equal(new Set(terms).size, 1);
  assert.ok((terms[0] ?? 0) > 9);
  assert.equal(bench.node('c').core.log.lastIndex, bench.node('a').core.log.lastIndex);
});

test('hashicorp/raft#606: a follower grants the pre-vote of the leader that it follows', () => {
  const bench = threeVoters();
  bench.campaign('a');
  assert.equal(bench.node('b').core.head().leader, 'a');
  const { lastIndex, lastTerm } = bench.node('a').core.log;
  const start = bench.sent.length;
  bench.node('b').receive('a', { type: 'vote-request', pre: true, term: 3, lastIndex, lastTerm });
  assert.equal(bench.sentBy('b', 'vote-response', start).at(-1)?.granted, true);
});

test('hashicorp/raft#609: granting a pre-vote does not refresh the last contact', () => {
  const bench = threeVoters();
  const node = bench.node('a');
  for (let tick = 1; tick < ELECTION_TICKS; tick++) {
    node.tick();
    node.receive('b', { type: 'vote-request', pre: true, term: 2, lastIndex: 1, lastTerm: 1 });
  }
  assert.equal(bench.sentBy('a', 'vote-request').length, 0);
  node.tick();
  assert.equal(bench.sentBy('a', 'vote-request').length, 2);
});

test('hashicorp/raft#524: a server removed while it was offline comes back and unseats nobody', () => {
  for (const itsTerm of [2, 50]) {
    const bench = threeVoters();
    bench.campaign('a');
    bench.node('a').step({ type: 'propose-change', change: { type: 'remove', node: 'c' } });
    bench.deliverWithout('c');
    bench.tick(3, ({ from, to }) => from === 'c' || to === 'c');
    assert.deepEqual(bench.node('b').core.head().configuration, voters('a', 'b'));
    const { hardState } = bench.node('c').disk;
    bench.node('c').disk.write({ hardState: { ...hardState, term: itsTerm }, entries: [] });
    bench.node('c').start();
    bench.tick(10 * ELECTION_TICKS);
    assert.deepEqual(
      [bench.node('a').core.head().role, bench.node('a').core.head().term],
      ['leader', 2],
      `c came back in term ${itsTerm}`,
    );
  }
});

test('hashicorp/raft#524: answers of a server that is no member are not heard', () => {
  const bench = threeVoters();
  bench.campaign('a');
  bench
    .node('a')
    .receive('z', { type: 'append-rejected', term: 99, previousIndex: 0, hintIndex: 0, hintTerm: 0 });
  assert.equal(bench.node('a').core.head().role, 'leader');
});

test('single-server changes from two leaders fork the log unless an entry of the current term commits first', () => {
  const bench = threeVoters();
  const change = { type: 'add-learner', node: 'd' } as const;
  bench.campaign('a', ({ message }) => message.type === 'append' && message.entries.length > 0);
  assert.equal(bench.node('a').core.head().role, 'leader');
  assert.deepEqual(bench.node('a').step({ type: 'propose-change', change })?.refusal, { code: 'BUSY' });
  bench.tick(2);
  assert.equal(bench.node('a').step({ type: 'propose-change', change })?.refusal, null);
  const second = bench.node('a').step({ type: 'propose-change', change: { type: 'remove', node: 'b' } });
  assert.deepEqual(second?.refusal, { code: 'BUSY' }, 'one step at a time');
});

test('etcd-io/etcd#12133: a candidate counts votes by the newest configuration in its log, applied or not', () => {
  const bench = new Bench(['a', 'b', 'c', 'd', 'e'], voters('a', 'b', 'c'));
  // An uncommitted step to four voters: two votes are a majority of three but not of four.
  const configuration = voters('a', 'b', 'c', 'd');
  bench.node('a').disk.write({
    hardState: { term: 2, votedFor: null, commitIndex: 1 },
    entries: [{ kind: 'configuration', term: 2, index: 2, configuration }],
  });
  bench.node('a').start();
  bench.campaign('a', ({ from, to }) => ['c', 'd'].includes(from) || ['c', 'd'].includes(to));
  assert.notEqual(bench.node('a').core.head().role, 'leader');
  bench.tick(4 * ELECTION_TICKS, ({ from, to }) => from === 'd' || to === 'd');
  assert.equal(bench.node('a').core.head().role, 'leader');
});

test('etcd-io/etcd#14370: nothing is acknowledged before the fsync on a single node', () => {
  const bench = new Bench(['a'], voters('a'));
  bench.campaign('a');
  const node = bench.node('a');
  node.autoSync = false;
  node.propose('x');
  assert.deepEqual(node.commands(), []);
  node.sync();
  assert.deepEqual(node.commands(), ['x']);
});

test('etcd-io/etcd#14370: a follower acknowledges, votes and campaigns only by what is on its disk', () => {
  const bench = threeVoters();
  const node = bench.node('b');
  node.autoSync = false;
  const promised = (): number => bench.sent.filter(({ from }) => from === 'b').length;
  node.receive('a', {
    type: 'append',
    term: 2,
    previousIndex: 1,
    previousTerm: 1,
    commitIndex: 1,
    entries: [command(2, 2, 'x')],
  });
  assert.equal(promised(), 0);
  node.sync();
  assert.equal(promised(), 1);
  node.tick(2 * ELECTION_TICKS);
  assert.equal(
    bench.sentBy('b', 'vote-request').every(({ pre }) => pre),
    true,
  );
  node.receive('a', { type: 'vote-response', pre: true, granted: true, term: 3 });
  assert.equal(
    bench.sentBy('b', 'vote-request').every(({ pre }) => pre),
    true,
    'its own vote is not on disk',
  );
  node.sync();
  assert.equal(bench.sentBy('b', 'vote-request').filter(({ pre }) => !pre).length, 2);
  const before = promised();
  node.receive('c', { type: 'vote-request', pre: false, term: 9, lastIndex: 9, lastTerm: 8 });
  assert.equal(promised(), before);
  node.sync();
  assert.equal(bench.sentBy('b', 'vote-response').at(-1)?.granted, true);
});

test('hashicorp/raft#503, #683: a leader whose disk hangs ends its heartbeats (zombie leader)', () => {
  const bench = threeVoters();
  bench.campaign('a');
  bench.node('a').autoSync = false;
  bench.node('a').propose('x');
  bench.tick(4 * ELECTION_TICKS);
  assert.notEqual(bench.node('a').core.head().role, 'leader');
  const leaders = ['b', 'c'].filter((id) => bench.node(id).core.head().role === 'leader');
  assert.equal(leaders.length, 1);
  // It doesn't campaign either: it could not lead.
  const start = bench.sent.length;
  bench.tick(6 * ELECTION_TICKS);
  assert.equal(bench.sentBy('a', 'vote-request', start).length, 0);
  bench.node('a').autoSync = true;
  bench.node('a').sync();
  bench.tick(3);
  assert.deepEqual(bench.node('a').log(), bench.node(leaders[0] as string).log());
});

test('the append ABA race: entries that were replaced and came back are acknowledged only when their own write is on disk', () => {
  const bench = threeVoters();
  const node = bench.node('b');
  node.autoSync = false;
  const append = { type: 'append', previousIndex: 1, previousTerm: 1, commitIndex: 1 } as const;
  // 2@2 is being written when a leader of term 3 replaces it and one of term 4 brings it back.
  node.receive('a', { ...append, term: 2, entries: [command(2, 2, 'x')] });
  node.receive('c', { ...append, term: 3, entries: [command(3, 2, 'y')] });
  node.receive('a', { ...append, term: 4, entries: [command(2, 2, 'x')] });
  node.syncOne();
  const accepted = (): number[] => bench.sentBy('b', 'append-accepted').map(({ term }) => term);
  assert.deepEqual(accepted(), [2], 'only the first write is on disk');
  node.sync();
  assert.deepEqual(accepted(), [2, 3, 4]);
});

test('the append ABA race: what was on disk before it was truncated is not counted for what stands there now', () => {
  const bench = threeVoters();
  const node = bench.node('a');
  const append = { type: 'append', term: 2, previousIndex: 1, previousTerm: 1, commitIndex: 1 } as const;
  node.receive('b', { ...append, entries: [command(2, 2, 'x'), command(2, 3, 'y'), command(2, 4, 'z')] });
  node.receive('c', { ...append, term: 3, entries: [command(3, 2, 'w')] });
  bench.mail = [];
  bench.campaign('a');
  assert.equal(node.core.head().role, 'leader');
  node.autoSync = false;
  node.propose('v');
  const index = node.core.log.lastIndex;
  assert.equal(index, 4);
  // b alone holds it: without a's own disk that is no majority.
  bench.deliverWithout('c');
  assert.equal(node.core.status().commitIndex, index - 1);
  node.sync();
  assert.equal(node.core.status().commitIndex, index);
});

test('a lost connection to the leader brings a new one well before the election timeout; a false alarm changes nothing', () => {
  const bench = threeVoters({ heartbeatTicks: 1, electionTicks: 100, hurryTicks: 20 });
  for (let tick = 0; tick < 110; tick++) bench.node('a').tick();
  bench.deliver();
  assert.equal(bench.node('a').core.head().role, 'leader');
  bench.node('b').step({ type: 'peer-unreachable', peer: 'a' });
  bench.tick(60);
  assert.deepEqual([bench.node('a').core.head().role, bench.node('a').core.head().term], ['leader', 2]);
  for (const id of ['b', 'c']) bench.node(id).step({ type: 'peer-unreachable', peer: 'a' });
  bench.tick(40, ({ from, to }) => from === 'a' || to === 'a');
  const leaders = ['b', 'c'].filter((id) => bench.node(id).core.head().role === 'leader');
  assert.equal(leaders.length, 1);
});

test('a fresh node that nobody knows waits silently, and follows whom those who let it in name', () => {
  const bench = new Bench(['a', 'b', 'z'], { voters: ['a'], learners: ['b'] });
  bench.node('z').tick(10 * ELECTION_TICKS);
  assert.equal(bench.sent.length, 0);
  bench.campaign('a');
  bench.node('a').step({ type: 'propose-change', change: { type: 'add-learner', node: 'z' } });
  bench.deliver();
  assert.deepEqual([bench.node('z').log(), bench.node('z').refused], [[], ['not-a-voter']]);
  bench.node('z').step({ type: 'introduce', by: ['b'] });
  bench.tick(2);
  assert.deepEqual(bench.node('z').log(), bench.node('a').log());
  assert.equal(bench.node('z').core.head().leader, 'a');
});

test('a node that comes back behind is sent what it lacks in bounded batches', () => {
  const bench = threeVoters({ maxAppendBytes: 400, windowAppends: 3 });
  bench.campaign('a');
  for (let made = 0; made < 60; made++) {
    bench.node('a').propose(`command ${made}`);
    bench.deliverWithout('c');
  }
  const start = bench.sent.length;
  bench.tick(3);
  assert.deepEqual(bench.node('c').log(), bench.node('a').log());
  const toC = bench.sent.slice(start).filter(({ to, message }) => to === 'c' && message.type === 'append');
  assert.ok(toC.length >= 6);
  for (const { message } of toC) {
    assert.ok(message.type !== 'append' || message.entries.length <= 10, 'an append is too large');
  }
});

test('proposals beyond the limit on uncommitted bytes are refused as BUSY, and accepted again later', () => {
  const bench = threeVoters({ maxUncommittedBytes: 200 });
  bench.campaign('a');
  const node = bench.node('a');
  const first = node.propose('x'.repeat(100), 'y'.repeat(100));
  assert.deepEqual([first?.accepted, first?.refusal], [1, { code: 'BUSY' }]);
  bench.deliver();
  assert.equal(node.propose('y'.repeat(100))?.accepted, 1);
  bench.deliver();
  assert.equal(node.propose('z'.repeat(1000))?.accepted, 1, 'one always fits');
});

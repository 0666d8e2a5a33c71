import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEntry, encodeEntry } from '../../../node/consensus/codec.ts';
import { applyChange, quorum } from '../../../node/consensus/configuration.ts';
import {
  type MembershipView,
  type PlannedMember,
  planMembership,
} from '../../../node/consensus/membership.ts';
import type { Configuration } from '../../../node/consensus/types.ts';
import { MAX_MEMBERS } from '../../../protocols/schema/fields.ts';

const members = (text: string): PlannedMember[] =>
  text
    .split(' ')
    .filter((word) => word !== '')
    // "b-" is down, "b~" lags behind, "b!" may not vote.
    .map((word) => ({
      id: word[0] as string,
      alive: !word.endsWith('-'),
      caughtUp: !/[-~]$/.test(word),
      mayVote: !word.endsWith('!'),
    }));

const configuration = (voters: string, learners = ''): Configuration => ({
  voters: voters.split(' ').filter(Boolean),
  learners: learners.split(' ').filter(Boolean),
});

/** Takes steps until it rests. */
function settle(view: MembershipView): { readonly at: Configuration; readonly steps: string[] } {
  const steps: string[] = [];
  let at = view.configuration;
  for (let round = 0; round < 100; round++) {
    const change = planMembership({ ...view, configuration: at });
    if (change === null) return { at, steps };
    const next = applyChange(at, change);
    assert.ok(next.ok, `${JSON.stringify(change)} makes no sense`);
    at = next.value;
    steps.push(`${change.type} ${change.node}`);
  }
  throw new Error(`never rests: ${steps.join(', ')}`);
}

const rest = (who: string, from: Configuration, maxVoters = 5, self = 'a'): Configuration =>
  settle({ self, configuration: from, maxVoters, members: members(who) }).at;

test('a cluster that grows rests with an odd number of voters', () => {
  assert.deepEqual(rest('a', configuration('a')), configuration('a'));
  assert.deepEqual(rest('a b', configuration('a')), configuration('a', 'b'));
  assert.deepEqual(rest('a b c', configuration('a')), configuration('a b c'));
  assert.deepEqual(rest('a b c d', configuration('a')), configuration('a b c', 'd'));
  assert.deepEqual(rest('a b c d e', configuration('a')), configuration('a b c d e'));
  assert.deepEqual(rest('a b c d e f g', configuration('a')), configuration('a b c d e', 'f g'));
  assert.deepEqual(rest('a b c d e f g', configuration('a'), 4), configuration('a b c', 'd e f g'));
});

test('who is down or lags behind is not promoted', () => {
  assert.deepEqual(rest('a b- c', configuration('a')), configuration('a', 'b c'));
  assert.deepEqual(rest('a b~ c d', configuration('a')), configuration('a c d', 'b'));
});

test('when voters leave, a waiting learner follows them or one voter steps back; never the leader', () => {
  assert.deepEqual(rest('a b c d', configuration('a b c e', 'd')), configuration('a b c', 'd'));
  assert.deepEqual(rest('a b d', configuration('a b c', 'd')), configuration('a b d'));
  assert.deepEqual(rest('a b', configuration('a b c')), configuration('a', 'b'));
  assert.deepEqual(rest('a b', configuration('a b c'), 5, 'b'), configuration('b', 'a'));
  assert.deepEqual(
    rest('a b c- d', configuration('a b c d')),
    configuration('a b d', 'c'),
    'the dead steps back',
  );
});

test('a leader that is no member any more is replaced before it goes', () => {
  const { at, steps } = settle({
    self: 'a',
    configuration: configuration('a'),
    maxVoters: 5,
    members: members('b'),
  });
  assert.deepEqual(at, configuration('b'));
  assert.deepEqual(steps, ['add-learner b', 'promote b', 'remove a']);
});

test('no step is proposed that the remaining voters could not commit', () => {
  // c leaves while b is down: a alone would be no majority of a and b, until b steps back.
  const view = { self: 'a', maxVoters: 5, members: members('a b-'), answering: ['a', 'c'] };
  const { steps } = settle({ ...view, configuration: configuration('a b c') });
  assert.deepEqual(steps, ['demote b', 'remove c']);
});

test('who may not vote never does, however many voters are missing', () => {
  const view = { self: 'a', maxVoters: 5, configuration: configuration('a') };
  assert.deepEqual(settle({ ...view, members: members('a b! c!') }), {
    at: configuration('a', 'b c'),
    steps: ['add-learner b', 'add-learner c'],
  });
  const { at } = settle({ ...view, members: members('a b! c d e! f') });
  assert.deepEqual(at, configuration('a c d', 'b e f'));
});

test('a voter that was let in again as a worker steps back, and no other in its place', () => {
  const view = { self: 'a', maxVoters: 3, members: members('a b c!') };
  const { at, steps } = settle({ ...view, configuration: configuration('a b c') });
  assert.deepEqual(steps[0], 'demote c');
  assert.deepEqual(at, configuration('a', 'b c'));
});

const anyView: fc.Arbitrary<MembershipView> = fc
  .record({
    standing: fc.array(fc.constantFrom('voter', 'learner', 'outside'), { minLength: 1, maxLength: 8 }),
    wanted: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    // The leader votes.
    workers: fc.uniqueArray(fc.constantFrom('b', 'c', 'd', 'e')).map((ids) => new Set<string>(ids)),
    maxVoters: fc.integer({ min: 1, max: 8 }),
  })
  .map(({ standing, wanted, workers, maxVoters }) => {
    const ids = standing.map((_, position) => String.fromCharCode(97 + position));
    const of = (kind: string): string[] =>
      ids.filter((_, position) => standing[position] === kind || (kind === 'voter' && position === 0));
    const learners = of('learner').filter((id) => id !== 'a');
    return {
      self: 'a',
      configuration: { voters: of('voter'), learners },
      maxVoters,
      members: ids
        .filter((id, position) => id === 'a' || wanted[position] === true)
        .map((id) => ({ id, alive: true, caughtUp: true, mayVote: !workers.has(id) })),
      answering: ids,
    };
  });

test('while all answer, the plan always comes to rest: odd, everyone in, nobody else, as many voters as may be', () => {
  fc.assert(
    fc.property(anyView, (view) => {
      const { at, steps } = settle(view);
      assert.equal(at.voters.length % 2, 1);
      assert.deepEqual([...at.voters, ...at.learners].sort(), view.members.map(({ id }) => id).sort());
      const fit = view.members.filter(({ mayVote }) => mayVote).map(({ id }) => id);
      const most = Math.min(view.maxVoters, fit.length);
      assert.ok(at.voters.every((id) => fit.includes(id)));
      assert.equal(at.voters.length, most % 2 === 0 ? Math.max(1, most - 1) : most);
      assert.ok(at.voters.includes('a'));
      assert.ok(!steps.includes('demote a') && !steps.includes('remove a'));
    }),
    { numRuns: 1000 },
  );
});

test('whoever is down, the plan comes to rest and no step loses the living majority', () => {
  fc.assert(
    fc.property(anyView, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (view, downs) => {
      const isDown = (id: string): boolean => id !== 'a' && downs[id.charCodeAt(0) - 97] === true;
      const answering = (view.answering ?? []).filter((id) => !isDown(id));
      const living = (at: Configuration): boolean =>
        at.voters.filter((id) => answering.includes(id)).length >= quorum(at);
      fc.pre(living(view.configuration));
      const seen = {
        ...view,
        answering,
        members: view.members.map((member) => ({ ...member, alive: !isDown(member.id) })),
      };
      let at = view.configuration;
      for (let round = 0; ; round++) {
        assert.ok(round < 100, 'never rests');
        const change = planMembership({ ...seen, configuration: at });
        if (change === null) break;
        const next = applyChange(at, change);
        assert.ok(next.ok);
        at = next.value;
        assert.ok(living(at), `${JSON.stringify(change)} leaves no living majority`);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a configuration holds no more nodes than its entry can name', () => {
  const learners = Array.from({ length: MAX_MEMBERS - 1 }, (_, at) => `w${at}`);
  const full = { voters: ['a'], learners };
  assert.ok(!applyChange(full, { type: 'add-learner', node: 'late' }).ok);
  const next = applyChange(
    { voters: ['a'], learners: learners.slice(1) },
    { type: 'add-learner', node: 'late' },
  );
  assert.ok(next.ok);
  const entry = { kind: 'configuration', term: 1, index: 1, configuration: next.value } as const;
  assert.ok(decodeEntry(encodeEntry(entry)).ok);
});

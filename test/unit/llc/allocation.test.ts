import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  giveBack,
  largestLoan,
  lend,
  openWays,
  partitionsLeft,
  promote,
} from '../../../node/llc/allocation/allocator.ts';
import { freeMask, openDomain, unpromisedWays } from '../../../node/llc/allocation/domain.ts';
import { pack } from '../../../node/llc/allocation/layout.ts';
import { rebase } from '../../../node/llc/allocation/rebase.ts';
import { spansOf } from '../../../node/llc/allocation/spans.ts';
import { orderMoves } from '../../../node/llc/allocation/transition.ts';
import { DEFAULT_POOL_LIMITS, type WayState } from '../../../node/llc/allocation/types.ts';
import { fullMask } from '../../../node/llc/masks.ts';
import { bruteForce, checkState, checkSteps, movedWays } from './allocation-model.ts';

interface Shape {
  readonly ways: number;
  readonly minBits: number;
  readonly io: number;
  readonly foreign: number;
  readonly reserve: number;
  readonly closids: number;
  readonly domains: readonly number[];
}

type Action =
  | {
      readonly kind: 'lend';
      readonly ways: number;
      readonly domain: number;
      readonly sensitive: boolean;
      readonly wait: boolean;
    }
  | { readonly kind: 'give'; readonly which: number }
  | { readonly kind: 'rebase'; readonly closids: number; readonly domain: number; readonly foreign: number };

const shapes = (maxWays: number, withForeign: boolean): fc.Arbitrary<Shape> =>
  fc.record({
    ways: fc.integer({ min: 3, max: maxWays }),
    minBits: fc.constantFrom(0, 1, 1, 2),
    io: fc.constantFrom(0, 0, 0xc0, 0x600),
    foreign: withForeign ? fc.constantFrom(0, 0, 0x8, 0x30) : fc.constant(0),
    reserve: fc.integer({ min: 1, max: 2 }),
    closids: fc.constantFrom(0, 1, 3, 7, 15),
    domains: fc.constantFrom([0], [0], [0, 8]),
  });

/** Small enough to try every sequence of moves. */
const crowded: fc.Arbitrary<Shape> = fc.record({
  ways: fc.integer({ min: 9, max: 11 }),
  minBits: fc.constantFrom(1, 1, 2),
  io: fc.constant(0),
  foreign: fc.constantFrom(0, 0, 0x10, 0x60),
  reserve: fc.constant(1),
  closids: fc.constant(15),
  domains: fc.constant([0]),
});

const lends = (maxWays: number) =>
  fc.record({
    kind: fc.constant('lend' as const),
    ways: fc.integer({ min: 1, max: maxWays }),
    domain: fc.constantFrom(0, 0, 8),
    sensitive: fc.boolean(),
    wait: fc.constantFrom(false, false, false, true),
  });
const gives = fc.record({ kind: fc.constant('give' as const), which: fc.nat(31) });
const rebases = fc.record({
  kind: fc.constant('rebase' as const),
  closids: fc.constantFrom(2, 7, 15),
  domain: fc.constant(0),
  foreign: fc.constantFrom(0, 0x3, 0x18, 0x8),
});

/** Long enough to crowd a domain and to free it again. */
const scripts = (
  lending: fc.Arbitrary<Action>,
  other: fc.Arbitrary<Action> = gives,
): fc.Arbitrary<Action[]> => {
  const action = fc.oneof({ weight: 4, arbitrary: lending }, { weight: 3, arbitrary: gives }, other);
  return fc.array(action, { maxLength: 40, size: 'max' });
};

const alone = (ways: number): Action => ({ kind: 'lend', ways, domain: 0, sensitive: true, wait: false });

/** A domain that was filled and has holes then, which the last requests need together. */
const riddled: fc.Arbitrary<Action[]> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }).map(alone) }, lends(2)), {
      minLength: 5,
      maxLength: 10,
    }),
    fc.array(gives, { minLength: 1, maxLength: 5 }),
    fc.array(fc.integer({ min: 2, max: 5 }).map(alone), { minLength: 1, maxLength: 3 }),
  )
  .map((parts) => parts.flat());

function open({ ways, minBits, io, foreign, reserve, closids, domains }: Shape): WayState {
  const rootMask = fullMask(ways);
  return openWays(
    closids,
    domains.map((id) =>
      openDomain({ id, ways, minBits, ioMask: io, foreignMask: foreign, rootMask, reserveWays: reserve }),
    ),
  );
}

/** Carries out the actions on a checked state; `onLend` sees every request for a partition of its own. */
function play(
  shape: Shape,
  actions: readonly Action[],
  onLend: (before: WayState, request: Action & { kind: 'lend' }, after: WayState | null) => void = () => {},
): WayState {
  let state = open(shape);
  const wanted = new Map<string, { ways: number; domain: number }>();
  const step = (next: WayState, steps: Parameters<typeof checkSteps>[2]) => {
    checkSteps(state, next, steps);
    state = next;
    // Other programs may take CLOSIDs that are in use; then there are only fewer to lend.
    if (partitionsLeft(state) >= 0) checkState(state, wanted);
  };
  for (const [index, action] of actions.entries()) {
    if (action.kind === 'lend') {
      const id = `r${index}`;
      const answer = lend(state, { id, ...action });
      if (answer.ok) wanted.set(id, action);
      onLend(state, action, answer.ok ? answer.value.state : null);
      if (answer.ok) step(answer.value.state, answer.value.steps);
    } else if (action.kind === 'give') {
      const id = [...wanted.keys()][action.which % Math.max(1, wanted.size)];
      if (id === undefined) continue;
      wanted.delete(id);
      const plan = giveBack(state, id);
      step(plan.state, plan.steps);
      for (let up = promote(state); up !== null; up = promote(state)) step(up.state, up.steps);
    } else {
      const plan = rebase(
        state,
        action.closids,
        new Map([[action.domain, action.foreign & fullMask(shape.ways)]]),
      );
      for (const id of plan.lost) wanted.delete(id);
      checkSteps(state, plan.state, plan.steps);
      state = plan.state;
    }
  }
  return state;
}

describe('way allocation', () => {
  test('lends no way twice, loses none, and rewrites masks without an overlap at any instant', () => {
    fc.assert(
      fc.property(shapes(20, true), scripts(lends(8)), (shape, actions) => void play(shape, actions)),
      { numRuns: 400 },
    );
  });

  test('gives way to other programs, and never overlaps them', () => {
    fc.assert(
      fc.property(shapes(16, false), scripts(lends(6), rebases), (shape, actions) => {
        const state = play({ ...shape, io: 0 }, actions);
        for (const { partitions, pool, foreignMask } of state.domains) {
          for (const { span } of [...partitions, ...(pool === null ? [] : [{ span: pool }])]) {
            for (let way = span.start; way < span.start + span.count; way++) {
              assert.equal((foreignMask >>> way) & 1, 0, `way ${way} is held by others`);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('serves what any sequence of moves could serve, and moves as few ways as possible', () => {
    let compacted = 0;
    let refused = 0;
    fc.assert(
      fc.property(crowded, riddled, (shape, actions) => {
        play(shape, actions, (before, request, after) => {
          const domain = before.domains[0];
          if (domain === undefined || request.domain !== 0 || !request.sensitive || request.wait) return;
          if (partitionsLeft(before) <= 0) return;
          const then = after?.domains[0];
          const cost = then === undefined ? null : movedWays(domain, then);
          if (then === undefined) refused++;
          // Where nothing was moved there is nothing to improve, and long searches are left out.
          if (cost === 0 || domain.partitions.length > 5) return;
          const cheapest = bruteForce(domain, before.limits, Math.max(request.ways, domain.minBits));
          if (cost === null) return assert.equal(cheapest, null, 'refused although there is a way');
          compacted++;
          if (cheapest !== null && domain.pool === null) {
            assert.ok(cost <= cheapest, `${cost} ways moved, not ${cheapest}`);
          }
        });
      }),
      { numRuns: 500 },
    );
    assert.ok(compacted > 20 && refused > 20, `compacted ${compacted}, refused ${refused}`);
  });

  test('moves up everybody who waits when it is possible', () => {
    fc.assert(
      fc.property(shapes(16, false), scripts(lends(4)), (shape, actions) => {
        const last = play({ ...shape, closids: 4 }, [...actions, { kind: 'give', which: 0 }]);
        if (partitionsLeft(last) <= 0) return;
        for (const domain of last.domains) {
          const room = Math.max(0, ...spansOf(freeMask(domain)).map(({ count }) => count));
          for (const member of domain.members.filter((each) => each.waiting)) {
            assert.ok(member.ways > room, `${member.id} waits for ${member.ways} ways with ${room} free`);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('lends exactly what it says is the largest loan', () => {
    fc.assert(
      fc.property(shapes(16, true), scripts(lends(4)), (shape, actions) => {
        const state = play({ ...shape, closids: 40 }, actions);
        const domain = state.domains[0];
        if (domain === undefined) return;
        const most = largestLoan(state, 0);
        const ask = (ways: number) => lend(state, { id: 'new', domain: 0, ways, sensitive: true }).ok;
        if (most > 0) assert.ok(ask(most));
        assert.ok(!ask(Math.max(most + 1, domain.minBits)));
        assert.ok(most <= Math.max(0, unpromisedWays(domain, state.limits)));
      }),
      { numRuns: 200 },
    );
  });

  test('answers the same question the same way', () => {
    fc.assert(
      fc.property(shapes(16, true), scripts(lends(5)), (shape, actions) => {
        assert.deepEqual(play(shape, actions), play(shape, actions));
      }),
      { numRuns: 50 },
    );
  });

  test('is quick even when a full machine is asked in vain', () => {
    let state = openWays(40, [
      openDomain({
        id: 0,
        ways: 20,
        minBits: 1,
        ioMask: 0xc0000,
        foreignMask: 0x10,
        rootMask: fullMask(20),
        reserveWays: 1,
      }),
    ]);
    for (let index = 0; index < 18; index++) {
      const answer = lend(state, { id: `r${index}`, domain: 0, ways: 1, sensitive: true });
      if (answer.ok) state = answer.value.state;
    }
    for (const id of ['r1', 'r5', 'r9']) state = giveBack(state, id).state;
    assert.ok(!lend(state, { id: 'late', domain: 0, ways: 4, sensitive: true }).ok);
    assert.ok(lend(state, { id: 'fits', domain: 0, ways: 3, sensitive: true }).ok);
  });

  test('refuses what is no request', () => {
    const state = openWays(3, [
      openDomain({ id: 0, ways: 8, minBits: 1, ioMask: 0, foreignMask: 0, rootMask: 0xff, reserveWays: 1 }),
    ]);
    const code = (request: Partial<Parameters<typeof lend>[1]>) => {
      const answer = lend(state, { id: 'a', domain: 0, ways: 1, sensitive: true, ...request });
      return answer.ok ? null : answer.error.code;
    };
    assert.equal(code({ domain: 3 }), 'UNKNOWN_DOMAIN');
    assert.equal(code({ ways: 0 }), 'BAD_WAYS');
    assert.equal(code({ ways: 1.5 }), 'BAD_WAYS');
    assert.equal(code({ ways: 8 }), 'NO_WAYS');
    assert.equal(DEFAULT_POOL_LIMITS.minWays, 1);
  });
});

describe('packing', () => {
  test('finds what greedy packing misses', () => {
    // The first 3 goes into the tightest gap; then nothing fits until that is taken back.
    assert.deepEqual(pack([3, 3, 2, 2], [4, 6]), [1, 1, 0, 0]);
    assert.equal(pack([3, 3], [5, 1]), null);
  });
});

describe('order of moves', () => {
  test('swaps two neighbours without an overlap, narrowing one for an instant when nothing is free', () => {
    const from = new Map([
      ['a', { start: 0, count: 3 }],
      ['b', { start: 3, count: 3 }],
    ]);
    const to = new Map([
      ['a', { start: 3, count: 3 }],
      ['b', { start: 0, count: 3 }],
    ]);
    assert.equal(orderMoves(from, to, 0b111111, 3), null);
    const moves = orderMoves(from, to, 0b111111, 1) ?? [];
    assert.ok(moves.length >= 3);
    assert.ok(moves.every((move) => move.to.count >= 1));
  });
});

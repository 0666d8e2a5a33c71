/** A second opinion on the way allocator: naive, by counting ways and by searching all positions. */
import assert from 'node:assert/strict';
import { freeMask, unpromisedWays } from '../../../node/llc/allocation/domain.ts';
import { poolFloor } from '../../../node/llc/allocation/pool.ts';
import type { Span } from '../../../node/llc/allocation/spans.ts';
import type { DomainState, PoolLimits, Step, WayState } from '../../../node/llc/allocation/types.ts';

const wayList = ({ start, count }: Span) => Array.from({ length: count }, (_, index) => start + index);
const wayBits = (mask: number) =>
  Array.from({ length: 32 }, (_, way) => way).filter((way) => (mask >>> way) & 1);

/** @param wanted ways that were asked for, by id */
export function checkState(
  state: WayState,
  wanted: ReadonlyMap<string, { ways: number; domain: number }>,
): void {
  const seen = new Set<string>();
  let groups = 0;
  for (const domain of state.domains) {
    const holder = new Map<number, string>();
    const take = (ways: readonly number[], name: string) => {
      for (const way of ways) {
        assert.ok(way >= 0 && way < domain.ways, `${name} has way ${way} of ${domain.ways}`);
        assert.ok(
          !holder.has(way),
          `way ${way} of domain ${domain.id} is lent to ${holder.get(way)} and ${name}`,
        );
        holder.set(way, name);
      }
    };
    take(wayList(domain.reserve), 'the reserve');
    for (const way of wayBits(domain.foreignMask)) holder.set(way, 'others');
    for (const { id, span } of domain.partitions) {
      take(wayList(span), id);
      assert.equal(span.count, Math.max(wanted.get(id)?.ways ?? -1, domain.minBits), `size of ${id}`);
    }
    if (domain.pool !== null) take(wayList(domain.pool), 'the pool');
    assert.equal(domain.pool !== null, domain.members.length > 0, 'a pool exists when it is needed');
    assert.ok(
      domain.pool === null || domain.pool.count >= poolFloor(domain, state.limits),
      'pool at its floor',
    );
    const free = Array.from({ length: domain.ways }, (_, way) => way).filter((way) => !holder.has(way));
    assert.deepEqual(wayBits(freeMask(domain)), free, 'free is what nobody holds');
    for (const id of [...domain.partitions, ...domain.members].map((each) => each.id)) {
      assert.ok(!seen.has(id), `${id} is held twice`);
      seen.add(id);
      assert.equal(wanted.get(id)?.domain, domain.id, `domain of ${id}`);
    }
    groups += domain.partitions.length;
  }
  assert.deepEqual([...seen].sort(), [...wanted.keys()].sort(), 'nothing is lost');
  if (state.domains.some(({ pool }) => pool !== null)) groups++;
  assert.ok(groups <= Math.max(0, state.closids), `${groups} groups with ${state.closids} CLOSIDs`);
}

/** Plays the steps one by one: they must lead from one state to the other, with nobody overlapping on the way. */
export function checkSteps(before: WayState, after: WayState, steps: readonly Step[]): void {
  for (const domain of before.domains) {
    const now = positions(domain);
    const next = after.domains.find(({ id }) => id === domain.id) ?? domain;
    for (const { holder, from, to } of steps.filter((step) => step.domain === domain.id)) {
      assert.deepEqual(now.get(holder) ?? null, from, `${holder} starts where it stands`);
      if (to === null) now.delete(holder);
      else now.set(holder, to);
      if (to !== null) assert.ok(to.count >= domain.minBits, `${holder} keeps the minimum`);
      const leaving = next.pool === null;
      const held = new Map<number, string | null>();
      for (const [name, span] of now) {
        if (name === null && leaving) continue;
        for (const way of wayList(span)) {
          assert.ok(!held.has(way), `way ${way} is held by ${held.get(way)} and ${name} for an instant`);
          held.set(way, name);
        }
      }
    }
    assert.deepEqual(sorted(now), sorted(positions(next)), 'the steps lead to the new state');
  }
}

/** Ways moved by a plan: those of all partitions that end elsewhere. */
export function movedWays(before: DomainState, after: DomainState): number {
  return before.partitions
    .filter(({ id, span }) => after.partitions.find((each) => each.id === id)?.span.start !== span.start)
    .reduce((sum, { span }) => sum + span.count, 0);
}

/**
 * Tries every sequence of safe moves: the fewest ways that must end elsewhere for a run of `ways` to be free; null
 * when no sequence makes room. Only for small domains. The pool may be put anywhere at its floor.
 */
export function bruteForce(domain: DomainState, limits: PoolLimits, ways: number): number | null {
  if (ways > unpromisedWays(domain, limits)) return null;
  const fixed = new Set([...wayList(domain.reserve), ...wayBits(domain.foreignMask)]);
  const items = domain.partitions.map(({ span }) => span);
  const floor = domain.pool === null ? 0 : poolFloor(domain, limits);
  const start = items.map((span) => span.start);
  // Each pool of its floor inside of where the pool is now can be had by narrowing it.
  const pools = domain.pool === null ? [-1] : runsIn(wayList(domain.pool), floor);
  const queue = pools.map((pool) => [...start, pool]);
  const seen = new Set(queue.map(String));
  let best: number | null = null;
  // The list grows while it is walked.
  for (const at of queue) {
    const spans = at.map((place, index) => ({ start: place, count: items[index]?.count ?? floor }));
    const free = (except: number) => {
      const held = new Set(fixed);
      for (const [index, span] of spans.entries())
        if (index !== except) for (const way of wayList(span)) held.add(way);
      return Array.from({ length: domain.ways }, (_, way) => way).filter((way) => !held.has(way));
    };
    if (runsIn(free(-1), ways).length > 0) {
      const cost = items.reduce((sum, span, index) => sum + (at[index] === span.start ? 0 : span.count), 0);
      best = Math.min(best ?? cost, cost);
    }
    for (const [index, span] of spans.entries()) {
      if (span.count === 0) continue;
      for (const place of runsIn(free(index), span.count)) {
        const next = at.with(index, place);
        if (seen.has(String(next))) continue;
        seen.add(String(next));
        queue.push(next);
      }
    }
  }
  return best;
}

function runsIn(ways: readonly number[], count: number): number[] {
  const held = new Set(ways);
  return ways.filter((way) => wayList({ start: way, count }).every((each) => held.has(each)));
}

function positions(domain: DomainState): Map<string | null, Span> {
  const all = new Map<string | null, Span>(domain.partitions.map(({ id, span }) => [id, span]));
  if (domain.pool !== null) all.set(null, domain.pool);
  return all;
}

function sorted(map: ReadonlyMap<string | null, Span>): [string, Span][] {
  return [...map]
    .map(([id, span]): [string, Span] => [String(id), span])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Puts the partitions and the pool of a domain where they shall be: finds a plan that can be carried out. */
import { unite, without } from '../masks.ts';
import { freeMask, lendableMask } from './domain.ts';
import { arrangements, type Problem } from './layout.ts';
import { choosePool, poolDemand, poolFloor } from './pool.ts';
import { type Span, sameSpan, spanMask } from './spans.ts';
import { type Holder, orderMoves } from './transition.ts';
import type { DomainState, Partition, PoolLimits, Step } from './types.ts';

export interface Placement {
  readonly domain: DomainState;
  readonly steps: readonly Step[];
  readonly span: Span | null;
}

/** Who comes; `mustMove` are partitions that may not stay where they are. */
export interface Change {
  readonly newcomer: { readonly id: string; readonly ways: number } | null;
  readonly mustMove?: ReadonlySet<string>;
  /** The pool may not stay where it is. */
  readonly movePool?: boolean;
}

/**
 * Finds room for the newcomer (and for a pool, when the domain has members), with as little moving as possible.
 * `after` is the domain with its new members; its partitions and pool still stand as they do now.
 */
export function place(after: DomainState, limits: PoolLimits, change: Change): Placement | null {
  const lendable = lendableMask(after);
  // Ways that I/O shares only when there is no other way.
  const quiet = without(lendable, after.ioMask);
  for (const usable of quiet === lendable ? [lendable] : [quiet, lendable]) {
    for (const pool of poolStances(after, limits, change)) {
      const problem: Problem = {
        partitions: after.partitions,
        mustMove: change.mustMove ?? new Set(),
        newcomer: change.newcomer?.ways ?? 0,
        usable,
        pool,
        poolUsable: lendable,
      };
      for (const found of arrangements(problem)) {
        const placement = carryOut(after, limits, change, found.partitions, found.newcomer);
        if (placement !== null) return placement;
      }
    }
  }
  return null;
}

/** Fits the pool to its members where nobody else has to move; null when that isn't possible. */
export function settle(after: DomainState, limits: PoolLimits): Placement | null {
  return carryOut(after, limits, { newcomer: null }, after.partitions, null);
}

/** First the pool stays as it is, then it is put elsewhere at the size that it should have, then it is squeezed. */
function poolStances(after: DomainState, limits: PoolLimits, change: Change): (Span | number)[] {
  const demand = poolDemand(after, limits);
  if (demand === 0) return [0];
  const { pool } = after;
  const stays = pool !== null && pool.count <= demand && change.movePool !== true;
  const sizes = [...new Set([demand, poolFloor(after, limits)])];
  return stays ? [pool, ...sizes] : sizes;
}

function carryOut(
  after: DomainState,
  limits: PoolLimits,
  change: Change,
  partitions: readonly Partition[],
  span: Span | null,
): Placement | null {
  const { newcomer } = change;
  const all =
    newcomer === null || span === null
      ? partitions
      : [...partitions, { id: newcomer.id, span }].sort((a, b) => a.span.start - b.span.start);
  const pool = poolAmong(after, limits, all);
  if (pool === null && after.members.length > 0) return null;
  const moves = orderMoves(
    positions(after.partitions, after.pool),
    positions(partitions, pool),
    room(after),
    after.minBits,
  );
  if (moves === null) return null;
  const steps: Step[] = moves.map((move) => ({ domain: after.id, ...move }));
  if (pool !== null && after.pool === null)
    steps.push({ domain: after.id, holder: null, from: null, to: pool });
  if (newcomer !== null && span !== null) {
    steps.push({ domain: after.id, holder: newcomer.id, from: null, to: span });
  }
  if (pool === null && after.pool !== null) {
    const last = moves.findLast(({ holder }) => holder === null)?.to ?? after.pool;
    steps.push({ domain: after.id, holder: null, from: last, to: null });
  }
  return { domain: { ...after, partitions: all, pool }, steps, span };
}

function poolAmong(after: DomainState, limits: PoolLimits, partitions: readonly Partition[]): Span | null {
  const demand = poolDemand(after, limits);
  if (demand === 0) return null;
  const free = freeMask({ ...after, partitions, pool: null });
  const pool = choosePool(free, poolFloor(after, limits), demand, after.pool, after.ioMask);
  return sameSpan(pool, after.pool) ? after.pool : pool;
}

function positions(partitions: readonly Partition[], pool: Span | null): Map<Holder, Span> {
  const all = new Map<Holder, Span>(partitions.map(({ id, span }) => [id, span]));
  if (pool !== null) all.set(null, pool);
  return all;
}

/** Ways to pass through: those that are lendable, and those that ours hold although they no longer are. */
function room(domain: DomainState): number {
  return domain.partitions.reduce((mask, { span }) => unite(mask, spanMask(span)), lendableMask(domain));
}

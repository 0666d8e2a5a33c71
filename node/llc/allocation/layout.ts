/**
 * Where runs of ways could stand: arrangements that make room for a newcomer, cheapest first. A partition that is
 * moved loses its warm lines, so moving it costs its ways; partitions that stay keep their place to the way.
 */
import { intersect, unite, without } from '../masks.ts';
import { placesIn, type Span, spanMask, spansOf } from './spans.ts';
import type { Partition } from './types.ts';

export interface Problem {
  readonly partitions: readonly Partition[];
  /** Partitions that may not stay where they are. */
  readonly mustMove: ReadonlySet<string>;
  /** Ways of the newcomer; 0: there is none. */
  readonly newcomer: number;
  /** Ways that partitions may be put on. */
  readonly usable: number;
  /** What is kept clear for the pool: where it stands (its span), or room for so many ways anywhere in `poolUsable`. */
  readonly pool: Span | number;
  readonly poolUsable: number;
}

export interface Arrangement {
  /** All partitions, by first way, without the newcomer. */
  readonly partitions: readonly Partition[];
  readonly newcomer: Span | null;
}

/** Sets of partitions to move that are tried before everything is moved. Bounds the time of a hopeless search. */
const MAX_SETS = 4096;

export function* arrangements(problem: Problem): Generator<Arrangement> {
  const free = problem.partitions.filter(({ id }) => !problem.mustMove.has(id));
  const forced = problem.partitions.filter(({ id }) => problem.mustMove.has(id));
  const all = arrange(problem, [], problem.partitions);
  // When even a clean slate has no room, only partitions that stand outside of `usable` can help by staying.
  const clean = problem.partitions.every(({ span }) => without(spanMask(span), problem.usable) === 0);
  if (all === null && clean) return;
  const failed = new Set<string>();
  let sets = 0;
  for (const moving of setsByCost(free)) {
    if (++sets > MAX_SETS) break;
    const staying = free.filter((partition) => !moving.includes(partition));
    const found = arrange(problem, staying, [...moving, ...forced], failed);
    if (found !== null) yield found;
  }
  if (all !== null) yield all;
}

function arrange(
  problem: Problem,
  staying: readonly Partition[],
  moving: readonly Partition[],
  failed?: Set<string>,
): Arrangement | null {
  const kept = staying.reduce((mask, { span }) => unite(mask, spanMask(span)), 0);
  for (const clear of poolMasks(problem, kept)) {
    const gaps = spansOf(without(problem.usable, unite(kept, clear)));
    const movers = [...moving].sort((a, b) => b.span.count - a.span.count || a.span.start - b.span.start);
    const sizes = [
      ...movers.map(({ span }) => span.count),
      ...(problem.newcomer > 0 ? [problem.newcomer] : []),
    ];
    const order = [...sizes.keys()].sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b);
    const sorted = order.map((index) => sizes[index] ?? 0);
    const counts = gaps.map(({ count }) => count);
    const key = `${sorted.join()}|${counts.toSorted((a, b) => a - b).join()}`;
    if (failed?.has(key)) continue;
    const packed = pack(sorted, counts);
    if (packed === null) failed?.add(key);
    else {
      const gapOf = new Map(order.map((index, place) => [index, packed[place] ?? 0]));
      return assemble(problem, staying, movers, gaps, gapOf);
    }
  }
  return null;
}

/** Inside a gap the movers keep their order: sliding them never needs a detour. */
function assemble(
  problem: Problem,
  staying: readonly Partition[],
  movers: readonly Partition[],
  gaps: readonly Span[],
  gapOf: ReadonlyMap<number, number>,
): Arrangement {
  const moved: Partition[] = [];
  let newcomer: Span | null = null;
  for (const [index, gap] of gaps.entries()) {
    let start = gap.start;
    const here = movers.filter((_, mover) => gapOf.get(mover) === index);
    for (const { id, span } of here.sort((a, b) => a.span.start - b.span.start)) {
      moved.push({ id, span: { start, count: span.count } });
      start += span.count;
    }
    if (problem.newcomer > 0 && gapOf.get(movers.length) === index) {
      newcomer = { start, count: problem.newcomer };
    }
  }
  const partitions = [...staying, ...moved].sort((a, b) => a.span.start - b.span.start);
  return { partitions, newcomer };
}

function poolMasks({ pool, poolUsable }: Problem, kept: number): number[] {
  if (pool === 0) return [0];
  if (typeof pool !== 'number') {
    const mask = spanMask(pool);
    return intersect(mask, kept) === 0 ? [mask] : [];
  }
  return placesIn(without(poolUsable, kept), pool).map(spanMask).reverse();
}

/** Subsets by the sum of their ways, then as few partitions as possible; deterministic. */
export function* setsByCost(partitions: readonly Partition[]): Generator<readonly Partition[]> {
  const items = [...partitions].sort((a, b) => b.span.count - a.span.count || a.span.start - b.span.start);
  const total = items.reduce((sum, { span }) => sum + span.count, 0);
  for (let cost = 0; cost <= total; cost++) {
    for (let size = 0; size <= items.length; size++) yield* exactly(items, 0, cost, size);
  }
}

function* exactly(
  items: readonly Partition[],
  from: number,
  cost: number,
  size: number,
): Generator<readonly Partition[]> {
  if (size === 0) {
    if (cost === 0) yield [];
    return;
  }
  // Nor are there any smaller than the last.
  if ((items.at(-1)?.span.count ?? 0) * size > cost) return;
  for (let index = from; index <= items.length - size; index++) {
    const item = items[index];
    if (item === undefined || item.span.count > cost) continue;
    // The items that follow are no larger.
    if (item.span.count * size < cost) return;
    for (const rest of exactly(items, index + 1, cost - item.span.count, size - 1)) yield [item, ...rest];
  }
}

/**
 * For each size the index of its gap, or null when they don't fit together. Prefers the tightest gap. Exact: the
 * numbers are so small that a search with a memory is fast enough.
 * @param sizes descending
 */
export function pack(sizes: readonly number[], gaps: readonly number[]): number[] | null {
  const room = [...gaps];
  const chosen: number[] = [];
  const failed = new Set<string>();
  const spare = gaps.reduce((sum, gap) => sum + gap, 0) - sizes.reduce((sum, size) => sum + size, 0);
  if (spare < 0) return null;
  return descend(0) ? chosen : null;

  function descend(index: number): boolean {
    const size = sizes[index];
    if (size === undefined) return true;
    const key = `${index}:${room.toSorted((a, b) => a - b).join()}`;
    if (failed.has(key)) return false;
    const order = [...room.keys()].sort((a, b) => (room[a] ?? 0) - (room[b] ?? 0) || a - b);
    let last = -1;
    for (const gap of order) {
      const before = room[gap] ?? 0;
      // Gaps of one length are alike.
      if (before < size || before === last) continue;
      last = before;
      room[gap] = before - size;
      chosen[index] = gap;
      if (descend(index + 1)) return true;
      room[gap] = before;
    }
    failed.add(key);
    return false;
  }
}

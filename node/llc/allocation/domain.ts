/** A domain at the start, and what is free in it. */
import { fullMask, intersect, popCount, unite, without } from '../masks.ts';
import { poolDemand } from './pool.ts';
import { placesIn, type Span, spanMask, spansOf } from './spans.ts';
import type { DomainState, PoolLimits } from './types.ts';

export interface DomainShape {
  readonly id: number;
  readonly ways: number;
  readonly minBits: number;
  readonly ioMask: number;
  readonly foreignMask: number;
  /** What root's group had before we came. */
  readonly rootMask: number;
  readonly reserveWays: number;
}

/** The reserve covers ways that I/O shares first, and leaves the longest possible run to the partitions. */
export function openDomain(shape: DomainShape): DomainState {
  const { id, ways } = shape;
  const full = fullMask(ways);
  const minBits = Math.max(1, shape.minBits);
  const ioMask = intersect(shape.ioMask, full);
  const foreignMask = intersect(shape.foreignMask, full);
  const count = Math.min(ways, Math.max(shape.reserveWays, minBits));
  const places = placesIn(full, count).map((span) => {
    const mask = spanMask(span);
    const left = spansOf(without(full, unite(mask, foreignMask)));
    return {
      span,
      foreign: popCount(intersect(mask, foreignMask)),
      outside: popCount(without(mask, shape.rootMask)),
      io: popCount(intersect(mask, ioMask)),
      longest: Math.max(0, ...left.map((gap) => gap.count)),
    };
  });
  places.sort(
    (a, b) =>
      a.foreign - b.foreign ||
      a.outside - b.outside ||
      b.io - a.io ||
      b.longest - a.longest ||
      b.span.start - a.span.start,
  );
  const reserve = places[0]?.span ?? { start: 0, count: ways };
  return { id, ways, minBits, ioMask, foreignMask, reserve, partitions: [], pool: null, members: [] };
}

/** Ways that are ours to lend, lent or not. */
export function lendableMask(domain: DomainState): number {
  return without(fullMask(domain.ways), unite(spanMask(domain.reserve), domain.foreignMask));
}

/** Ways that nobody holds. */
export function freeMask(domain: DomainState): number {
  let free = lendableMask(domain);
  for (const { span } of domain.partitions) free = without(free, spanMask(span));
  return domain.pool === null ? free : without(free, spanMask(domain.pool));
}

/** Ways that neither partitions nor the pool's members count for. Negative when foreign programs took ours. */
export function unpromisedWays(domain: DomainState, limits: PoolLimits): number {
  const lent = domain.partitions.reduce((sum, { span }: { span: Span }) => sum + span.count, 0);
  return popCount(lendableMask(domain)) - lent - poolDemand(domain, limits);
}

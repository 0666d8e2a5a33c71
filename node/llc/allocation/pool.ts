/** How large the pool of a domain shall be, and where. */
import { intersect, popCount } from '../masks.ts';
import { placesIn, type Span, spanMask } from './spans.ts';
import type { DomainState, PoolLimits, PoolMember } from './types.ts';

/** Ways without which there is no pool. */
export function poolFloor({ minBits }: DomainState, { minWays }: PoolLimits): number {
  return Math.max(minBits, minWays);
}

/** Ways that so many runs which gain nothing from cache share, for the node that lends as for the master. */
export function sharedWays(runs: number, floor: number, { membersPerWay }: PoolLimits): number {
  return runs === 0 ? 0 : Math.max(floor, Math.ceil(runs / membersPerWay));
}

/** So many runs can share one pool. */
export const poolCapacity = ({ maxWays, membersPerWay }: PoolLimits): number => maxWays * membersPerWay;

/** Ways that its members count for: insensitive ones share, waiting ones bring theirs along; 0 without any. */
export function poolDemand(
  domain: DomainState,
  limits: PoolLimits,
  members: readonly PoolMember[] = domain.members,
): number {
  if (members.length === 0) return 0;
  const insensitive = members.filter(({ waiting }) => !waiting).length;
  const waiting = members.reduce((sum, member) => sum + (member.waiting ? member.ways : 0), 0);
  const floor = poolFloor(domain, limits);
  return Math.max(floor, sharedWays(insensitive, floor, limits) + waiting);
}

/**
 * The best run of `floor` to `demand` ways in `free`: the longest, then the one that keeps most of `now`, then on the
 * ways that I/O shares (partitions avoid these), then the highest. Null when not even `floor` ways are together.
 */
export function choosePool(
  free: number,
  floor: number,
  demand: number,
  now: Span | null,
  ioMask: number,
): Span | null {
  const kept = now === null ? 0 : spanMask(now);
  for (let count = Math.max(demand, floor); count >= floor; count--) {
    const places = placesIn(free, count).map((span) => {
      const mask = spanMask(span);
      return { span, keeps: popCount(intersect(mask, kept)), io: popCount(intersect(mask, ioMask)) };
    });
    places.sort((a, b) => b.keeps - a.keeps || b.io - a.io || b.span.start - a.span.start);
    if (places[0] !== undefined) return places[0].span;
  }
  return null;
}

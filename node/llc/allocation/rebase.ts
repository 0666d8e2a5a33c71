/** What changes when other programs take or leave classes of service and ways. */
import { intersect } from '../masks.ts';
import { withDomain } from './allocator.ts';
import { place } from './place.ts';
import { spanMask } from './spans.ts';
import type { DomainState, Plan, PoolLimits, Step, WayState } from './types.ts';

export interface Rebase extends Plan {
  /** Runs that no place was left for: they hold nothing any more. */
  readonly lost: readonly string[];
}

/**
 * Gives way to other programs: partitions and pools on ways that these hold now are moved, and lost when there is no
 * room.
 * @param foreign masks by domain id; a domain that is missing keeps its own
 */
export function rebase(state: WayState, closids: number, foreign: ReadonlyMap<number, number>): Rebase {
  let next: WayState = { ...state, closids };
  const steps: Step[] = [];
  const lost: string[] = [];
  for (const domain of state.domains) {
    const foreignMask = foreign.get(domain.id) ?? domain.foreignMask;
    if (foreignMask === domain.foreignMask) continue;
    const moved = giveWay({ ...domain, foreignMask }, state.limits);
    next = withDomain(next, moved.domain);
    steps.push(...moved.steps);
    lost.push(...moved.lost);
  }
  return { state: next, steps, lost };
}

function giveWay(
  start: DomainState,
  limits: PoolLimits,
): { domain: DomainState; steps: readonly Step[]; lost: readonly string[] } {
  let domain = start;
  const steps: Step[] = [];
  const lost: string[] = [];
  for (;;) {
    const overrun = domain.partitions.filter(
      ({ span }) => intersect(spanMask(span), domain.foreignMask) !== 0,
    );
    const movePool = domain.pool !== null && intersect(spanMask(domain.pool), domain.foreignMask) !== 0;
    if (overrun.length === 0 && !movePool) return { domain, steps, lost };
    const mustMove = new Set(overrun.map(({ id }) => id));
    const found = place(domain, limits, { newcomer: null, mustMove, movePool });
    if (found !== null) return { domain: found.domain, steps: [...steps, ...found.steps], lost };
    const victim = overrun.toSorted((a, b) => b.span.count - a.span.count)[0];
    if (victim !== undefined) {
      lost.push(victim.id);
      steps.push({ domain: domain.id, holder: victim.id, from: victim.span, to: null });
      domain = { ...domain, partitions: domain.partitions.filter((each) => each !== victim) };
    } else {
      lost.push(...domain.members.map(({ id }) => id));
      steps.push({ domain: domain.id, holder: null, from: domain.pool, to: null });
      domain = { ...domain, pool: null, members: [] };
    }
  }
}

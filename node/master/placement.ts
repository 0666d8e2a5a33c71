/**
 * Placement: which LLC domain of which node a run gets. Pure functions over plain data.
 * What is free is derived from the runs table and from what is being proposed, not from gossip: gossip says
 * what a node *has*, the master knows what it lent.
 */
import type { NodeId } from '../consensus/types.ts';
import type { CapacityNotice } from '../mesh/types.ts';
import type { Run, RunSpec } from '../state/types.ts';

export interface DomainView {
  readonly node: NodeId;
  readonly domain: number;
  readonly ways: number;
  readonly wayBytes: number;
  readonly freeWays: number;
  readonly cpus: number;
  readonly freeCpus: number;
}

export interface Placement {
  readonly node: NodeId;
  readonly domain: number;
  readonly ways: number;
}

type Demand = Pick<RunSpec, 'ways' | 'pinnedTo'>;

/**
 * The domains of `notices` less what `held` takes of them. What a node can lend at all is what it says that it has
 * lent and still could: less than its ways, where some are kept for everything else on the machine.
 */
export function viewDomains(
  notices: readonly Pick<CapacityNotice, 'node' | 'domains' | 'runs'>[],
  held: readonly Placement[],
): DomainView[] {
  return notices.flatMap(({ node, domains, runs }) =>
    domains.map(({ id, ways: all, freeWays, wayBytes, cpus }) => {
      const lentThere = runs.filter((run) => run.domain === id).reduce((sum, run) => sum + run.ways, 0);
      const ways = Math.min(all, freeWays + lentThere);
      const here = held.filter((placement) => placement.node === node && placement.domain === id);
      const lent = here.reduce((sum, placement) => sum + placement.ways, 0);
      return {
        node,
        domain: id,
        ways,
        wayBytes,
        freeWays: Math.max(0, ways - lent),
        cpus: cpus.length,
        freeCpus: Math.max(0, cpus.length - here.length),
      };
    }),
  );
}

/** A run never waits for more ways than the domain has: it is content with all of them. */
function waysOn(domain: DomainView, demand: Demand): number {
  return Math.max(1, Math.min(demand.ways, domain.ways));
}

/** Best fit: of the domains with room, the one that keeps the fewest ways free; then most free CPUs, then by name. */
export function place(demand: Demand, domains: readonly DomainView[]): Placement | null {
  let best: DomainView | null = null;
  let bestLeft = Number.POSITIVE_INFINITY;
  for (const domain of domains) {
    const { pinnedTo } = demand;
    if (pinnedTo && (pinnedTo.node !== domain.node || pinnedTo.domain !== domain.domain)) continue;
    const left = domain.freeWays - waysOn(domain, demand);
    if (left < 0 || domain.freeCpus < 1) continue;
    if (!best || left < bestLeft || (left === bestLeft && isBefore(domain, best))) {
      best = domain;
      bestLeft = left;
    }
  }
  return best && { node: best.node, domain: best.domain, ways: waysOn(best, demand) };
}

function isBefore(left: DomainView, right: DomainView): boolean {
  if (left.freeCpus !== right.freeCpus) return left.freeCpus > right.freeCpus;
  if (left.node !== right.node) return left.node < right.node;
  return left.domain < right.domain;
}

function lend(domains: readonly DomainView[], placement: Placement): DomainView[] {
  return domains.map((domain) =>
    domain.node === placement.node && domain.domain === placement.domain
      ? { ...domain, freeWays: domain.freeWays - placement.ways, freeCpus: domain.freeCpus - 1 }
      : domain,
  );
}

/**
 * Which waiting runs start now, in the order of the queue. Runs that fit may overtake one that doesn't, until
 * that one has waited for `starvationMs`: then nothing behind it starts (or, when it is tied to a domain,
 * nothing else there) before it has its ways.
 */
export function planQueue(
  queued: readonly Run[],
  domains: readonly DomainView[],
  options: { readonly nowMs: number; readonly starvationMs: number },
): { readonly run: Run; readonly placement: Placement }[] {
  const plan: { readonly run: Run; readonly placement: Placement }[] = [];
  let open: readonly DomainView[] = domains;
  for (const run of queued) {
    const placement = place(run.spec, open);
    if (placement) {
      plan.push({ run, placement });
      open = lend(open, placement);
    } else if (options.nowMs - run.spec.createdAtMs >= options.starvationMs) {
      const { pinnedTo } = run.spec;
      if (!pinnedTo) return plan;
      open = open.filter((domain) => domain.node !== pinnedTo.node || domain.domain !== pinnedTo.domain);
    }
  }
  return plan;
}

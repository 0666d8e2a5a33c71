/**
 * Placement: which LLC domain of which node a run gets. Pure functions over plain data.
 * What is free is derived from the runs table and from what is being proposed, not from gossip: gossip says
 * what a node *has*, the master knows what it lent.
 *
 * Both count alike, or one would be wrong by the other: a node's free ways are what it could lend less the ways of its
 * runs, where those that gain nothing from cache count together as `sharedWays`, whether a pool holds them or nothing
 * does. A run that waits in the pool for a class of service counts as the partition that it will get.
 */

import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import { isPlaced, type Run, type RunSpec } from '../../protocols/schema/run.ts';
import type { NodeId } from '../consensus/types.ts';
import { poolCapacity, sharedWays } from '../llc/allocation/pool.ts';
import { DEFAULT_POOL_LIMITS } from '../llc/allocation/types.ts';
import { TRAITS } from '../llc/profiler-traits.ts';

/** What an LLC domain has for the next run. */
export interface DomainOffer {
  readonly node: NodeId;
  readonly domain: number;
  readonly ways: number;
  readonly wayBytes: number;
  readonly freeWays: number;
  readonly cpus: number;
  readonly freeCpus: number;
  /** The fewest ways that a run can be lent. @default 1 */
  readonly minWays?: number;
  /** Runs that gain nothing from cache and share its pool. @default 0 */
  readonly sharing?: number;
  /** Whether a run is there, by the tables or by the node's own word. @default false */
  readonly isBusy?: boolean;
}

export interface Placement {
  readonly node: NodeId;
  readonly domain: number;
  readonly ways: number;
}

/** Who holds ways. */
export interface Holder extends Placement {
  readonly sensitive?: boolean;
  /** Has the domain for itself. */
  readonly alone?: boolean;
}

/** A run whose placement is proposed and not yet applied; null: that it shall wait. */
export interface Pending {
  readonly spec: RunSpec;
  readonly assignment: Placement | null;
}

/**
 * Who holds ways by the tables, and by what is on its way into them: two proposals in flight never get the same ways.
 */
export function holdersOf(active: Iterable<Run>, pending: ReadonlyMap<string, Pending>): Holder[] {
  const holders: Holder[] = [];
  for (const run of active) {
    const { spec, assignment } = run;
    if (isPlaced(run) && assignment && !pending.has(spec.id)) holders.push(holderOf(spec, assignment));
  }
  for (const { spec, assignment } of pending.values())
    if (assignment) holders.push(holderOf(spec, assignment));
  return holders;
}

/** Runs that wait, but for those whose placement is under way. */
export function waitingOf(active: readonly Run[], pending: ReadonlyMap<string, Pending>): Run[] {
  return active.filter((run) => run.state === 'queued' && !pending.get(run.spec.id)?.assignment);
}

export const holderOf = (spec: RunSpec, { node, domain, ways }: Placement): Holder => ({
  node,
  domain,
  ways,
  sensitive: spec.sensitive,
  ...(isAlone(spec) && { alone: true }),
});

type Demand = Pick<RunSpec, 'ways' | 'pinnedTo' | 'sensitive' | 'measure'>;

/** Nobody may be beside it while it is measured, though its partition has only the ways that are measured. */
const isAlone = ({ measure }: Pick<RunSpec, 'measure'>): boolean =>
  measure !== null && TRAITS[measure.profiler].needsQuiet;

/** Pools have these limits on every node. */
const LIMITS = DEFAULT_POOL_LIMITS;

/**
 * The domains of `notices` less what `held` takes of them. What a node can lend at all is what it says that it has
 * lent and still could: less than its ways, where some are kept for everything else on the machine.
 */
export function offersOf(
  notices: readonly Pick<CapacityNotice, 'node' | 'domains' | 'runs' | 'takesRuns'>[],
  held: readonly Holder[],
): DomainOffer[] {
  const heldBy = Map.groupBy(held, ({ node }) => node);
  return notices.flatMap(({ node, domains, runs, takesRuns }) => {
    // Once a node, not once a domain: a node may say that it has a thousand domains and as many runs.
    const toldOf = Map.groupBy(runs, ({ domain }) => domain);
    const heldOf = Map.groupBy(heldBy.get(node) ?? [], ({ domain }) => domain);
    return domains.map(({ id, ways: all, freeWays, wayBytes, cpus, minWays }) => {
      const there = toldOf.get(id) ?? [];
      const lentThere = lentWays(there, minWays);
      const ways = Math.min(all, freeWays + lentThere);
      const here = heldOf.get(id) ?? [];
      const lent = lentWays(here, minWays);
      const isClosed = !takesRuns || here.some(({ alone }) => alone === true);
      return {
        node,
        domain: id,
        ways,
        wayBytes,
        freeWays: isClosed ? 0 : Math.max(0, ways - lent),
        cpus: cpus.length,
        freeCpus: isClosed ? 0 : Math.max(0, cpus.length - here.length),
        minWays,
        sharing: here.filter(isSharing).length,
        isBusy: here.length > 0 || there.length > 0,
      };
    });
  });
}

/** One node counts for at most so many times what the node in the middle has. */
const LARGEST_SHARE = 4;

/**
 * The free ways of the cluster, of which follows how generous it is. No other node counts for much more than the rest
 * has: one that says that it has thousands of ways would else have all others' lent too generously. `self` knows its own:
 * of two nodes the one in the middle is the smaller one, which may say that it has next to nothing.
 */
export function freeWaysOf(domains: readonly DomainOffer[], self: NodeId): number {
  const sum = (of: readonly DomainOffer[], what: 'ways' | 'freeWays'): number =>
    of.reduce((total, domain) => total + domain[what], 0);
  const nodes = Map.groupBy(domains, ({ node }) => node);
  const sizes = [...nodes.values()].map((of) => sum(of, 'ways')).sort((left, right) => left - right);
  const most = LARGEST_SHARE * (sizes[Math.floor((sizes.length - 1) / 2)] ?? 0);
  return [...nodes].reduce((total, [node, of]) => {
    const free = sum(of, 'freeWays');
    return total + (node === self ? free : Math.min(most, free));
  }, 0);
}

/**
 * The cache that most nodes have, of equals that of `self`, else the larger one: what ways are chosen for. Each node
 * counts once, so that none can have the ways of all others chosen for a cache that only it claims to have.
 */
export function typicalDomain(domains: readonly DomainOffer[], self: NodeId): DomainOffer | undefined {
  const kinds = Map.groupBy(domains, ({ ways, wayBytes, cpus }) => `${ways} ${wayBytes} ${cpus}`).values();
  const votes = [...kinds].flatMap((those) => {
    const nodes = new Set(those.map(({ node }) => node));
    const [domain] = those;
    return domain ? [{ domain, nodes: nodes.size, isOwn: nodes.has(self) }] : [];
  });
  votes.sort(
    (left, right) =>
      right.nodes - left.nodes ||
      Number(right.isOwn) - Number(left.isOwn) ||
      right.domain.ways - left.domain.ways,
  );
  return votes[0]?.domain;
}

const isSharing = ({ sensitive }: { readonly sensitive?: boolean }): boolean => sensitive === false;

/** As the nodes count it: runs that gain nothing from cache take their share of a pool, others their ways. */
function lentWays(holders: readonly Pick<Holder, 'ways' | 'sensitive'>[], minWays: number): number {
  const own = holders.filter((holder) => !isSharing(holder)).reduce((sum, { ways }) => sum + ways, 0);
  return own + poolWays(holders.filter(isSharing).length, minWays);
}

const poolWays = (sharing: number, minWays: number): number =>
  sharedWays(sharing, Math.max(minWays, LIMITS.minWays), LIMITS);

/** What one more run takes of the free ways; infinite where the pool is full. */
function costOn(domain: DomainOffer, demand: Demand): number {
  if (!isSharing(demand)) return waysOn(domain, demand);
  const { sharing = 0, minWays = 1 } = domain;
  if (sharing >= poolCapacity(LIMITS)) return Number.POSITIVE_INFINITY;
  return poolWays(sharing + 1, minWays) - poolWays(sharing, minWays);
}

/** A run never waits for more ways than the domain has: it is content with all of them. */
function waysOn(domain: DomainOffer, demand: Demand): number {
  return Math.max(1, Math.min(Math.max(demand.ways, domain.minWays ?? 1), domain.ways));
}

/** Best fit: of the domains with room, the one that keeps the fewest ways free; then most free CPUs, then by name. */
export function place(demand: Demand, domains: readonly DomainOffer[]): Placement | null {
  let best: DomainOffer | null = null;
  let bestLeft = Number.POSITIVE_INFINITY;
  for (const domain of domains) {
    const { pinnedTo } = demand;
    if (pinnedTo && (pinnedTo.node !== domain.node || pinnedTo.domain !== domain.domain)) continue;
    if (isAlone(demand) && domain.isBusy === true) continue;
    const left = domain.freeWays - costOn(domain, demand);
    if (left < 0 || domain.freeCpus < 1) continue;
    if (!best || left < bestLeft || (left === bestLeft && isBefore(domain, best))) {
      best = domain;
      bestLeft = left;
    }
  }
  return best && { node: best.node, domain: best.domain, ways: waysOn(best, demand) };
}

function isBefore(left: DomainOffer, right: DomainOffer): boolean {
  if (left.freeCpus !== right.freeCpus) return left.freeCpus > right.freeCpus;
  if (left.node !== right.node) return left.node < right.node;
  return left.domain < right.domain;
}

function lend(domains: readonly DomainOffer[], demand: Demand, placement: Placement): DomainOffer[] {
  return domains.map((domain) =>
    domain.node === placement.node && domain.domain === placement.domain
      ? {
          ...domain,
          freeWays: isAlone(demand) ? 0 : domain.freeWays - costOn(domain, demand),
          freeCpus: isAlone(demand) ? 0 : domain.freeCpus - 1,
          isBusy: true,
          sharing: (domain.sharing ?? 0) + (isSharing(demand) ? 1 : 0),
        }
      : domain,
  );
}

/**
 * Which waiting runs start now, in the order of the queue. A run that must be alone on its domain waits until it is
 * empty: others overtake it there for `starvationMs`, then the domain is let run empty; between two such runs whoever
 * has waited longer comes first. Runs that fit may overtake one that doesn't, until that one has waited for
 * `starvationMs`: then nothing behind it starts (or, when it is tied to a domain, nothing else there) before it has its
 * ways.
 */
export function planQueue(
  queued: readonly Run[],
  domains: readonly DomainOffer[],
  options: {
    readonly nowMs: number;
    readonly starvationMs: number;
    /** Runs that a node may still be given before it has taken those that it was. @default any number */
    readonly credit?: (node: NodeId) => number;
  },
): { readonly run: Run; readonly placement: Placement }[] {
  const plan: { readonly run: Run; readonly placement: Placement }[] = [];
  const given = new Map<NodeId, number>();
  const credit = options.credit ?? (() => Number.POSITIVE_INFINITY);
  let open: readonly DomainOffer[] = domains.filter(({ node }) => credit(node) > 0);
  for (const run of queued) {
    const placement = place(run.spec, open);
    if (placement) {
      plan.push({ run, placement });
      open = lend(open, run.spec, placement);
      const count = (given.get(placement.node) ?? 0) + 1;
      given.set(placement.node, count);
      if (count >= credit(placement.node)) open = open.filter(({ node }) => node !== placement.node);
    } else if (options.nowMs - run.spec.createdAtMs >= options.starvationMs) {
      const { pinnedTo } = run.spec;
      if (!pinnedTo) return plan;
      open = open.filter((domain) => domain.node !== pinnedTo.node || domain.domain !== pinnedTo.domain);
    }
  }
  return plan;
}

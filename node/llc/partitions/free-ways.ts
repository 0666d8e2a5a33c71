/**
 * How many ways one more run can be lent, and what one more takes. Runs that nothing holds are counted as the allocator counts those
 * that it holds: a run that gains nothing from cache takes its share of a pool, others their ways.
 */
import { largestLoan } from '../allocation/allocator.ts';
import { unpromisedWays } from '../allocation/domain.ts';
import { poolCapacity, sharedWays } from '../allocation/pool.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits, type WayState } from '../allocation/types.ts';
import type { Topology } from '../types.ts';

/** What counts of a lease. */
interface Share {
  readonly domain: number;
  readonly ways: number;
  readonly sensitive: boolean;
}

/** States are never changed: what was found out of one stays true. */
const found = new WeakMap<WayState, Map<number, number>>();

/** Where resctrl holds the runs; `unheld` are those that it doesn't. */
export function heldFree(state: WayState, unheld: Iterable<Share>, domainId: number): number {
  const domain = state.domains.find(({ id }) => id === domainId);
  if (domain === undefined) return 0;
  const known = found.get(state) ?? new Map<number, number>();
  found.set(state, known);
  const largest = known.get(domainId) ?? largestLoan(state, domainId);
  known.set(domainId, largest);
  const left = unpromisedWays(domain, state.limits) - countedWays(unheld, domainId, state.limits);
  return Math.max(0, Math.min(largest, left));
}

/** Where nothing is held: by accounts only. */
export function countedFree(
  topology: Pick<Topology, 'domains'>,
  reserveWays: number,
  leases: Iterable<Share>,
  domainId: number,
  limits: PoolLimits = DEFAULT_POOL_LIMITS,
): number {
  const domain = topology.domains.find(({ id }) => id === domainId);
  if (domain === undefined) return 0;
  return Math.max(0, domain.ways - reserveWays - countedWays(leases, domainId, limits));
}

/** Whether one more fits beside `leases` that nothing holds, where `free` ways are. */
export function fitsCounted(
  free: number,
  leases: readonly Share[],
  lease: Share,
  limits: PoolLimits = DEFAULT_POOL_LIMITS,
): boolean {
  const { domain } = lease;
  const grown = countedWays([...leases, lease], domain, limits) - countedWays(leases, domain, limits);
  const sharing = leases.filter((each) => each.domain === domain && !each.sensitive).length;
  return grown <= free && (lease.sensitive || sharing < poolCapacity(limits));
}

function countedWays(leases: Iterable<Share>, domain: number, limits: PoolLimits): number {
  let own = 0;
  let sharing = 0;
  for (const lease of leases) {
    if (lease.domain !== domain) continue;
    if (lease.sensitive) own += lease.ways;
    else sharing++;
  }
  return own + sharedWays(sharing, limits.minWays, limits);
}

/** How many ways one more run can be lent. */
import { largestLoan } from '../allocation/allocator.ts';
import { unpromisedWays } from '../allocation/domain.ts';
import type { WayState } from '../allocation/types.ts';
import type { Topology } from '../types.ts';
import type { Lease } from './types.ts';

/** States are never changed: what was found out of one stays true. */
const found = new WeakMap<WayState, Map<number, number>>();

/** Where resctrl holds the runs; `unheld` are those that it doesn't, which count as if they had their ways. */
export function heldFree(state: WayState, unheld: Iterable<Lease>, domainId: number): number {
  const domain = state.domains.find(({ id }) => id === domainId);
  if (domain === undefined) return 0;
  const known = found.get(state) ?? new Map<number, number>();
  found.set(state, known);
  const largest = known.get(domainId) ?? largestLoan(state, domainId);
  known.set(domainId, largest);
  const left = unpromisedWays(domain, state.limits) - waysOf(unheld, domainId);
  return Math.max(0, Math.min(largest, left));
}

/** Where nothing is held: by accounts only. */
export function countedFree(
  topology: Pick<Topology, 'domains'>,
  reserveWays: number,
  leases: Iterable<Lease>,
  domainId: number,
): number {
  const domain = topology.domains.find(({ id }) => id === domainId);
  if (domain === undefined) return 0;
  return Math.max(0, domain.ways - reserveWays - waysOf(leases, domainId));
}

function waysOf(leases: Iterable<Lease>, domain: number): number {
  let sum = 0;
  for (const lease of leases) if (lease.domain === domain) sum += lease.ways;
  return sum;
}

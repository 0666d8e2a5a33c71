/** What is lent, for people. */
import { freeMask } from '../allocation/domain.ts';
import { spanMask } from '../allocation/spans.ts';
import type { DomainState } from '../allocation/types.ts';
import type { Topology } from '../types.ts';
import type { HeldLease } from './held-lease.ts';
import type { Mount } from './mount.ts';
import type { DomainView, Lease, PartitionsView } from './types.ts';

type FreeWays = (domain: number) => number;

export function heldView(
  mount: Mount,
  leases: readonly HeldLease[],
  unheld: readonly Lease[],
  freeWays: FreeWays,
): PartitionsView {
  const wayBytes = new Map(mount.topology.domains.map((domain) => [domain.id, domain.wayBytes]));
  const byId = new Map(leases.map((lease) => [lease.id, lease]));
  const domains = mount.state.domains.map((domain): DomainView => {
    return {
      id: domain.id,
      ways: domain.ways,
      wayBytes: wayBytes.get(domain.id) ?? 0,
      minWays: domain.minBits,
      reserveMask: spanMask(domain.reserve),
      foreignMask: domain.foreignMask,
      freeMask: freeMask(domain),
      ioMask: domain.ioMask,
      pool: poolView(domain, byId, mount.poolBandwidthPercent),
      partitions: domain.partitions.flatMap(({ id, span }) => {
        const lease = byId.get(id);
        if (lease === undefined) return [];
        const occupancyBytes = occupancyOf(lease);
        const { runId, attempt, enforcement } = lease;
        return [{ runId, attempt, mask: spanMask(span), enforcement, occupancyBytes }];
      }),
      unenforced: unheldView(unheld, domain.id),
      freeWays: freeWays(domain.id),
    };
  });
  return { state: 'holding', reason: null, domains, foreignGroups: mount.foreign };
}

/** Where nothing is held. */
export function countedView(
  { state, reason }: Pick<PartitionsView, 'state' | 'reason'>,
  topology: Pick<Topology, 'domains'>,
  reserveWays: number,
  leases: readonly Lease[],
  freeWays: FreeWays,
): PartitionsView {
  const domains = topology.domains.map(({ id, ways, wayBytes }): DomainView => {
    const count = Math.min(reserveWays, ways);
    const reserveMask = count === 0 ? 0 : spanMask({ start: ways - count, count });
    const masks = { reserveMask, foreignMask: 0, freeMask: 0, ioMask: 0 };
    const unenforced = unheldView(leases, id);
    return {
      id,
      ways,
      wayBytes,
      minWays: 1,
      ...masks,
      pool: null,
      partitions: [],
      unenforced,
      freeWays: freeWays(id),
    };
  });
  return { state, reason, domains, foreignGroups: [] };
}

function poolView(
  { pool, members }: DomainState,
  byId: ReadonlyMap<string, HeldLease>,
  bandwidthPercent: number | null,
): DomainView['pool'] {
  if (pool === null) return null;
  const known = members.flatMap(({ id, waiting }) => {
    const lease = byId.get(id);
    if (lease === undefined) return [];
    const { runId, attempt } = lease;
    return [{ runId, attempt, waiting, occupancyBytes: occupancyOf(lease) }];
  });
  return { mask: spanMask(pool), bandwidthPercent, members: known };
}

const occupancyOf = (lease: HeldLease): number | null => lease.trail.summary().occupancyBytes?.last ?? null;

function unheldView(leases: readonly Lease[], domainId: number): DomainView['unenforced'] {
  return leases
    .filter(({ domain }) => domain === domainId)
    .map(({ runId, attempt, ways }) => ({ runId, attempt, ways }));
}

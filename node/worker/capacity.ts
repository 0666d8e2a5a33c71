/** What a worker lends and to whom, as it is gossiped. */
import type { Dispatch } from '../../protocols/schema/attempt.ts';
import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import type { LentDomain, Partitions } from '../llc/partitions/types.ts';
import type { Topology } from '../llc/types.ts';

export type WorkerCapacity = Pick<CapacityNotice, 'domains' | 'runs'>;

/** @param holding dispatches of the attempts that hold ways */
export function describeCapacity(
  topology: Pick<Topology, 'domains'>,
  partitions: Pick<Partitions, 'view'>,
  holding: readonly Dispatch[],
): WorkerCapacity {
  const { domains } = partitions.view();
  const cpus = new Map(topology.domains.map((domain) => [domain.id, domain.cpus]));
  const views = new Map(domains.map((domain) => [domain.id, domain]));
  return {
    domains: domains.map(({ leases: _, ...domain }) => ({ ...domain, cpus: cpus.get(domain.id) ?? [] })),
    runs: holding.map((dispatch) => describeRun(dispatch, views.get(dispatch.domain))),
  };
}

function describeRun(
  { runId, attempt, domain, ways, sensitive }: Dispatch,
  view: LentDomain | undefined,
): CapacityNotice['runs'][number] {
  const lease = view?.leases.find((each) => each.runId === runId && each.attempt === attempt);
  const { hold, mask, occupancyBytes } = lease ?? { hold: 'counted', mask: null, occupancyBytes: null };
  return { runId, attempt, domain, ways, sensitive, hold, mask, occupancyBytes };
}

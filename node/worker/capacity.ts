/** What a worker lends and to whom, as it is gossiped. */
import type { Dispatch } from '../../protocols/schema/attempt.ts';
import type { CapacityNotice, DomainMasks } from '../../protocols/schema/capacity.ts';
import type { LentDomain, Partitions } from '../llc/partitions/types.ts';
import type { Topology } from '../llc/types.ts';

export type WorkerCapacity = Pick<CapacityNotice, 'domains' | 'runs'>;

type RunShare = CapacityNotice['runs'][number];

/** @param holding dispatches of the attempts that hold ways */
export function describeCapacity(
  { domains }: Pick<Topology, 'domains'>,
  partitions: Pick<Partitions, 'freeWays' | 'view'>,
  holding: readonly Dispatch[],
): WorkerCapacity {
  const view = new Map(partitions.view().domains.map((domain) => [domain.id, domain]));
  const runs = holding.map((dispatch) => describeRun(dispatch, view.get(dispatch.domain)));
  return {
    domains: domains.map((domain) => ({
      ...domain,
      freeWays: partitions.freeWays(domain.id),
      masks: masksOf(view.get(domain.id)),
      minWays: view.get(domain.id)?.minWays ?? 1,
      poolBandwidthPercent: view.get(domain.id)?.poolBandwidthPercent ?? null,
      occupancyBytes: sumOf(runs.filter((run) => run.domain === domain.id)),
    })),
    runs,
  };
}

function describeRun(
  { runId, attempt, domain, ways, sensitive }: Dispatch,
  view: LentDomain | undefined,
): RunShare {
  const lease = view?.leases.find((each) => each.runId === runId && each.attempt === attempt);
  const { hold, mask, occupancyBytes } = lease ?? { hold: 'counted', mask: null, occupancyBytes: null };
  return { runId, attempt, domain, ways, sensitive, hold, mask, occupancyBytes };
}

function masksOf(view: LentDomain | undefined): DomainMasks | null {
  if (view === undefined) return null;
  const { reserveMask: reserve, foreignMask: foreign, ioMask: io, poolMask: pool } = view;
  return { reserve, foreign, io, pool };
}

/** Null when nothing was counted of any. */
function sumOf(runs: readonly RunShare[]): number | null {
  const counted = runs.map((run) => run.occupancyBytes).filter((bytes) => bytes !== null);
  return counted.length === 0 ? null : counted.reduce((sum, bytes) => sum + bytes, 0);
}

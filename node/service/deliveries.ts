/** How a worker's news reach whoever is master at the time. */
import type { Consensus } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { ApplyResult } from '../state/types.ts';
import type { Delivery } from '../worker/outbox.ts';
import type { AttemptReport } from '../worker/types.ts';
import type { StartedNotice } from '../worker/worker.ts';

export interface DeliveryDependencies {
  readonly consensus: Pick<Consensus<ApplyResult>, 'status'>;
  readonly mesh: Pick<Mesh, 'call'>;
}

/** The answer comes only once the result is on disk at a majority. */
export async function deliverReport(
  report: AttemptReport,
  dependencies: DeliveryDependencies,
): Promise<Delivery> {
  const { leader } = dependencies.consensus.status();
  if (leader === null) return 'retry';
  const answer = await dependencies.mesh.call(leader, { type: 'report', report }, { timeoutMs: 30_000 });
  if (!answer.ok) return 'retry';
  if (answer.value.type === 'ok') return 'accepted';
  return answer.value.type === 'refused' && answer.value.code === 'STALE' ? 'stale' : 'retry';
}

/** Told once: the report that follows says all that this says. */
export function deliverStarted(notice: StartedNotice, dependencies: DeliveryDependencies): void {
  const { leader } = dependencies.consensus.status();
  if (leader !== null) void dependencies.mesh.call(leader, { type: 'started', ...notice });
}

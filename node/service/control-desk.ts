/**
 * Calls between members, both ways: who on this node answers one, and how the worker's news reach whoever is master.
 */
import type { AttemptReport, StartedNotice } from '../../protocols/schema/attempt.ts';
import type { ControlRequest, ControlResponse } from '../../protocols/schema/messages.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { Consensus } from '../consensus/types.ts';
import type { Master } from '../master/master.ts';
import type { Mesh } from '../mesh/types.ts';
import type { ApplyResult } from '../state/types.ts';
import type { DispatchRefusal } from '../worker/attempt.ts';
import type { Delivery } from '../worker/outbox.ts';
import type { Worker } from '../worker/worker.ts';

export interface ControlDeskDependencies {
  readonly master: () => Master | null;
  readonly consensus: Pick<Consensus<ApplyResult>, 'status'>;
  readonly worker: Worker;
}

const OK: ControlResponse = { type: 'ok' };

export class ControlDesk {
  readonly #deps: ControlDeskDependencies;

  constructor(dependencies: ControlDeskDependencies) {
    this.#deps = dependencies;
  }

  async answer(request: ControlRequest): Promise<ControlResponse> {
    switch (request.type) {
      case 'dispatch':
        return answerTo(await this.#deps.worker.dispatch(request.dispatch));
      case 'cancel':
        this.#deps.worker.cancel(request.runId, request.attempt);
        return OK;
      case 'held':
        return { type: 'held', attempts: this.#deps.worker.held() };
      case 'output': {
        const { runId, attempt, stream, offset } = request;
        const output = this.#deps.worker.output(runId, attempt, stream, offset);
        return { type: 'output', bytes: output?.bytes ?? new Uint8Array(), ended: output?.ended ?? true };
      }
      default: {
        const master = this.#deps.master();
        if (master) return master.control(request);
        const { leader, id } = this.#deps.consensus.status();
        // Leading but not ready yet is no master either.
        return { type: 'not-master', master: leader === id ? null : leader };
      }
    }
  }
}

function answerTo(outcome: Outcome<void, DispatchRefusal>): ControlResponse {
  return outcome.ok ? OK : { type: 'refused', ...outcome.error };
}

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

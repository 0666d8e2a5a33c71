/**
 * Calls between members, both ways: who on this node answers one, and how the worker's news reach whoever is master.
 */
import type { AttemptReport, StartedNotice } from '../../protocols/schema/attempt.ts';
import type { ControlRequest, ControlResponse } from '../../protocols/schema/messages.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { Consensus, NodeId } from '../consensus/types.ts';
import type { Master } from '../master/master.ts';
import type { Mesh } from '../mesh/types.ts';
import { pause } from '../pause.ts';
import type { Clock } from '../ports.ts';
import type { ApplyResult } from '../state/types.ts';
import type { DispatchRefusal } from '../worker/attempt.ts';
import type { Delivery } from '../worker/outbox.ts';
import type { Worker } from '../worker/worker.ts';
import type { KeyKeeper } from './key-keeper.ts';

export interface ControlDeskDependencies {
  readonly master: () => Pick<Master, 'control'> | null;
  readonly consensus: Pick<Consensus<ApplyResult>, 'status' | 'onChange'>;
  readonly worker: Pick<Worker, 'dispatch' | 'cancel' | 'held' | 'output'>;
  readonly keys: Pick<KeyKeeper, 'keep' | 'give'>;
  readonly clock: Clock;
}

/** A new master's order may come before consensus has told this node of it: so long it is waited for. */
const UNHEARD_MS = 2_000;

const OK: ControlResponse = { type: 'ok' };
const NOT_MASTER: ControlResponse = {
  type: 'refused',
  code: 'NOT_MASTER',
  message: 'only the master gives orders and is told of runs, and this node knows another one',
};

export class ControlDesk {
  readonly #deps: ControlDeskDependencies;

  constructor(dependencies: ControlDeskDependencies) {
    this.#deps = dependencies;
  }

  async answer(from: NodeId, request: ControlRequest): Promise<ControlResponse> {
    switch (request.type) {
      case 'dispatch':
        if (!(await this.isMaster(from, request.dispatch.term))) return NOT_MASTER;
        return answerTo(await this.#deps.worker.dispatch(request.dispatch));
      case 'cancel':
        if (!(await this.isMaster(from))) return NOT_MASTER;
        this.#deps.worker.cancel(request.runId, request.attempt);
        return OK;
      case 'held':
        if (!(await this.isMaster(from))) return NOT_MASTER;
        return { type: 'held', attempts: this.#deps.worker.held() };
      case 'cluster-key-keep':
        if (!(await this.isMaster(from, request.term))) return NOT_MASTER;
        return this.#deps.keys.keep(request.key);
      case 'cluster-key-ask':
        return this.#deps.keys.give(from, request.id);
      case 'output': {
        if (!(await this.isMaster(from))) return NOT_MASTER;
        const { runId, attempt, stream, offset } = request;
        const output = this.#deps.worker.output(runId, attempt, stream, offset);
        return { type: 'output', bytes: output?.bytes ?? new Uint8Array(), ended: output?.ended ?? true };
      }
      default: {
        const master = this.#deps.master();
        if (master) return master.control(from, request);
        const { leader, id } = this.#deps.consensus.status();
        // Leading but not ready yet is no master either.
        return { type: 'not-master', master: leader === id ? null : leader };
      }
    }
  }

  /** @param term of the order; null: whatever the term is now */
  async isMaster(from: NodeId, term: number | null = null): Promise<boolean> {
    const { consensus, clock } = this.#deps;
    const verdict = (): boolean | null => {
      const now = consensus.status();
      if (now.leader === from && (term === null || term === now.term)) return true;
      const mayCome = term === null || now.term < term || (now.term === term && now.leader === null);
      return mayCome ? null : false;
    };
    if (verdict() === null) {
      const heard = new AbortController();
      const stop = consensus.onChange(() => {
        if (verdict() !== null) heard.abort();
      });
      await pause(clock, UNHEARD_MS, heard.signal);
      stop();
    }
    return verdict() === true;
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

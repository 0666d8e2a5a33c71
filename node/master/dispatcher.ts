/**
 * Brings assigned runs to their workers. A dispatch is fenced by (term, attempt) and may be repeated: the
 * worker takes the same one twice as one. A node that refused or could not be reached is left alone for a
 * while, so that the queue does not run against it.
 */

import { isPlaced, type Run } from '../../protocols/schema/run.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { Propose } from './propose.ts';

/** A worker may have to fetch the task's file before it answers. */
const DISPATCH_TIMEOUT_MS = 60_000;
const SUSPECT_UNREACHABLE_MS = 5_000;
const SUSPECT_REFUSED_MS = 500;

export interface DispatcherDependencies {
  readonly tables: Tables;
  readonly propose: Propose;
  readonly call: Mesh['call'];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Dispatcher {
  readonly #deps: DispatcherDependencies;
  readonly #sent = new Map<string, { readonly attempt: number; acknowledged: boolean }>();
  /** Until when (monotonic) a node is left alone. */
  readonly #suspects = new Map<NodeId, number>();

  constructor(dependencies: DispatcherDependencies) {
    this.#deps = dependencies;
  }

  isSuspect(node: NodeId): boolean {
    return (this.#suspects.get(node) ?? Number.NEGATIVE_INFINITY) > this.#deps.clock.monotonicMs();
  }

  /** Whether this master has brought the run's current attempt to its worker: null when it never tried. */
  acknowledged(run: Run): boolean | null {
    const sent = this.#sent.get(run.spec.id);
    return sent && sent.attempt === run.assignment?.attempt ? sent.acknowledged : null;
  }

  forget(runId: string): void {
    this.#sent.delete(runId);
  }

  async send(run: Run): Promise<void> {
    const { assignment, spec } = run;
    const task = this.#deps.tables.task(spec.taskId);
    if (!assignment || !task || !isPlaced(run)) return;
    const sent = { attempt: assignment.attempt, acknowledged: false };
    this.#sent.set(spec.id, sent);
    const answer = await this.#deps.call(
      assignment.node,
      {
        type: 'dispatch',
        dispatch: {
          runId: spec.id,
          attempt: assignment.attempt,
          term: assignment.term,
          taskId: task.id,
          fileName: task.fileName,
          sha256: task.sha256,
          command: spec.command,
          inputSize: spec.inputSize,
          parameters: spec.parameters,
          timeLimitMs: spec.timeLimitMs,
          domain: assignment.domain,
          ways: assignment.ways,
          measure: spec.measure,
          sensitive: spec.sensitive,
        },
      },
      { timeoutMs: DISPATCH_TIMEOUT_MS },
    );
    if (answer.ok && answer.value.type === 'ok') {
      sent.acknowledged = true;
      return;
    }
    // The worker knows a newer attempt, or it has finished this one: its report says more than we know.
    if (answer.ok && answer.value.type === 'refused' && answer.value.code === 'STALE') return;
    const why = !answer.ok
      ? `its node could not be reached (${answer.error.message})`
      : answer.value.type === 'refused'
        ? `its node refused it (${answer.value.message})`
        : `its node answered ${answer.value.type}`;
    this.#suspect(assignment.node, answer.ok ? SUSPECT_REFUSED_MS : SUSPECT_UNREACHABLE_MS);
    await this.requeue(run, why);
  }

  /** Gives up the run's current attempt. */
  async requeue(run: Run, reason: string): Promise<void> {
    const { assignment, spec } = run;
    if (!assignment) return;
    this.#deps.logger.warn(
      { run: spec.id, node: assignment.node, attempt: assignment.attempt, reason },
      'run requeued',
    );
    await this.#deps.propose({
      type: 'run-requeue',
      runId: spec.id,
      attempt: assignment.attempt,
      reason,
      atMs: this.#deps.clock.nowMs(),
    });
  }

  /** Tells the worker to end an attempt. If this gets lost, reconciliation says it again. */
  cancel(node: NodeId, runId: string, attempt: number): void {
    void this.#deps.call(node, { type: 'cancel', runId, attempt });
  }

  #suspect(node: NodeId, forMs: number): void {
    this.#suspects.set(node, this.#deps.clock.monotonicMs() + forMs);
  }
}

/**
 * Brings assigned runs to their workers. A dispatch is fenced by (term, attempt) and may be repeated: the
 * worker takes the same one twice as one. A node that refused or could not be reached is left alone for a
 * while, so that the queue does not run against it.
 */

import type { Dispatch } from '../../protocols/schema/attempt.ts';
import { succeed } from '../../protocols/schema/outcome.ts';
import { isPlaced, type Run } from '../../protocols/schema/run.ts';
import type { Task } from '../../protocols/schema/task.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { Propose } from './propose.ts';
import type { Vault } from './vault.ts';

/** A worker may have to fetch the task's file before it answers. */
const DISPATCH_TIMEOUT_MS = 60_000;
const SUSPECT_UNREACHABLE_MS = 5_000;
const SUSPECT_REFUSED_MS = 500;
/** A node that goes on failing is left alone for twice as long each time, up to this. */
const LONGEST_SUSPECT_MS = 30_000;
/** Dispatches that a node may have before it has answered: one that takes runs and says nothing gets no more. */
const MAX_UNANSWERED = 64;

export interface DispatcherDependencies {
  readonly tables: Tables;
  readonly propose: Propose;
  readonly vault: Pick<Vault, 'open'>;
  readonly call: Mesh['call'];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Dispatcher {
  readonly #deps: DispatcherDependencies;
  readonly #sent = new Map<string, { readonly attempt: number; acknowledged: boolean }>();
  /** Until when (monotonic) a node is left alone, and how often in a row it has failed. */
  readonly #suspects = new Map<NodeId, { readonly untilMs: number; readonly failures: number }>();
  readonly #unanswered = new Map<NodeId, number>();

  constructor(dependencies: DispatcherDependencies) {
    this.#deps = dependencies;
  }

  isSuspect(node: NodeId): boolean {
    const suspect = this.#suspects.get(node);
    return suspect !== undefined && suspect.untilMs > this.#deps.clock.monotonicMs();
  }

  /** How many more runs a node may be sent now. */
  credit(node: NodeId): number {
    return MAX_UNANSWERED - (this.#unanswered.get(node) ?? 0);
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
    const secrets = this.#secrets(run, task);
    if (!secrets.ok) {
      // Not given up: reconciliation tries what was never sent again, and the key may have come by then.
      if (secrets.error.code === 'NO_KEY') this.#deps.logger.warn({ run: spec.id }, secrets.error.message);
      else await this.requeue(run, secrets.error.message);
      return;
    }
    const sent = { attempt: assignment.attempt, acknowledged: false };
    this.#sent.set(spec.id, sent);
    const answer = await this.#call(assignment.node, {
      runId: spec.id,
      attempt: assignment.attempt,
      term: assignment.term,
      taskId: task.id,
      fileName: task.fileName,
      sha256: task.sha256,
      command: spec.command,
      inputSize: spec.inputSize,
      parameters: spec.parameters,
      secrets: secrets.value,
      timeLimitMs: spec.timeLimitMs,
      domain: assignment.domain,
      ways: assignment.ways,
      measure: spec.measure,
      sensitive: spec.sensitive,
    });
    if (answer.ok && answer.value.type === 'ok') {
      sent.acknowledged = true;
      this.#suspects.delete(assignment.node);
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

  /** The run's own come before the task's of the same name. */
  #secrets({ spec }: Run, task: Task): ReturnType<Vault['open']> {
    const own = this.#deps.vault.open(`run ${spec.id}`, spec.secrets);
    if (!own.ok) return own;
    const names = new Set(own.value.map(({ name }) => name));
    const others = task.secrets.filter(({ name }) => !names.has(name));
    const shared = this.#deps.vault.open(`task ${task.id}`, others);
    return shared.ok ? succeed([...shared.value, ...own.value]) : shared;
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

  async #call(node: NodeId, dispatch: Dispatch): ReturnType<Mesh['call']> {
    const count = (by: number): number => (this.#unanswered.get(node) ?? 0) + by;
    this.#unanswered.set(node, count(1));
    try {
      return await this.#deps.call(node, { type: 'dispatch', dispatch }, { timeoutMs: DISPATCH_TIMEOUT_MS });
    } finally {
      if (count(-1) === 0) this.#unanswered.delete(node);
      else this.#unanswered.set(node, count(-1));
    }
  }

  /** Those that fail together count as one. */
  #suspect(node: NodeId, forMs: number): void {
    const now = this.#deps.clock.monotonicMs();
    const known = this.#suspects.get(node);
    if (known !== undefined && known.untilMs > now) return;
    const failures = known?.failures ?? 0;
    const untilMs = now + Math.min(LONGEST_SUSPECT_MS, forMs * 2 ** failures);
    this.#suspects.set(node, { untilMs, failures: failures + 1 });
  }
}

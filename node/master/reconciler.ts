/**
 * Keeps the runs table and the workers in agreement. The workers are asked what they hold; the table says what
 * they should. What is missing there is queued again, what is too much there is ended, what was never brought
 * (a new master after an old one) is brought. Every step is fenced, so that acting on a stale answer is harmless.
 */

import type { HeldAttempt } from '../../protocols/schema/attempt.ts';
import { isPlaced, type Run } from '../../protocols/schema/run.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { Dispatcher } from './dispatcher.ts';

const PERIOD_MS = 1_000;
const CALL_TIMEOUT_MS = 3_000;
/** A node that did not answer for this long has lost its runs. */
export const NODE_LOST_MS = 10_000;

export interface ReconcilerDependencies {
  readonly tables: Tables;
  readonly dispatcher: Dispatcher;
  readonly call: Mesh['call'];
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  /** When (monotonic) a node with runs was first found silent. */
  readonly #silentSince = new Map<NodeId, number>();
  readonly #asking = new Set<NodeId>();
  #stop: Cancel | null = null;

  constructor(dependencies: ReconcilerDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#stop = this.#deps.clock.every(PERIOD_MS, () => this.#round());
    this.#round();
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #round(): void {
    const byNode = new Map<NodeId, Run[]>();
    for (const run of this.#deps.tables.activeRuns()) {
      const node = isPlaced(run) ? run.assignment?.node : undefined;
      if (node !== undefined) byNode.set(node, [...(byNode.get(node) ?? []), run]);
    }
    for (const member of this.#deps.tables.members()) if (!byNode.has(member.id)) byNode.set(member.id, []);
    for (const [node, runs] of byNode) void this.#reconcile(node, runs);
  }

  async #reconcile(node: NodeId, placed: readonly Run[]): Promise<void> {
    if (this.#asking.has(node)) return;
    this.#asking.add(node);
    try {
      if (!this.#deps.tables.member(node)) {
        await this.#requeueAll(placed, 'its node was removed from the cluster');
        return;
      }
      // Only what was acknowledged *before* the question can be missing from the answer.
      const acknowledged = new Set(
        placed.filter((run) => this.#deps.dispatcher.acknowledged(run)).map(keyOf),
      );
      const answer = await this.#deps.call(node, { type: 'held' }, { timeoutMs: CALL_TIMEOUT_MS });
      if (!this.#stop) return;
      if (answer.ok && answer.value.type === 'held') {
        this.#silentSince.delete(node);
        await this.#compare(node, placed, acknowledged, answer.value.attempts);
      } else if (placed.length > 0) {
        await this.#missed(node, placed);
      }
    } finally {
      this.#asking.delete(node);
    }
  }

  async #compare(
    node: NodeId,
    placed: readonly Run[],
    acknowledged: ReadonlySet<string>,
    held: readonly HeldAttempt[],
  ): Promise<void> {
    const there = new Set(held.map((attempt) => `${attempt.runId}/${attempt.attempt}`));
    for (const run of placed.map((old) => this.#deps.tables.run(old.spec.id))) {
      if (!run || !isPlaced(run) || run.assignment?.node !== node || there.has(keyOf(run))) continue;
      if (this.#deps.dispatcher.acknowledged(run) === null) {
        // Of an earlier master. A worker that restarted in between will simply start it.
        if (run.state === 'assigned') await this.#deps.dispatcher.send(run);
        else await this.#deps.dispatcher.requeue(run, 'its node no longer has it');
      } else if (acknowledged.has(keyOf(run))) {
        await this.#deps.dispatcher.requeue(run, 'its node no longer has it');
      }
    }
    for (const attempt of held) {
      if (attempt.phase !== 'running') continue;
      const run = this.#deps.tables.run(attempt.runId);
      const current = run && isPlaced(run) && run.assignment?.attempt === attempt.attempt;
      if (!current) this.#deps.dispatcher.cancel(node, attempt.runId, attempt.attempt);
    }
  }

  async #missed(node: NodeId, placed: readonly Run[]): Promise<void> {
    const now = this.#deps.clock.monotonicMs();
    const since = this.#silentSince.get(node) ?? now;
    this.#silentSince.set(node, since);
    if (now - since < NODE_LOST_MS) return;
    this.#deps.logger.warn({ node, runs: placed.length }, 'node lost with runs');
    await this.#requeueAll(placed, `its node has not answered for ${NODE_LOST_MS / 1000} s`);
  }

  async #requeueAll(placed: readonly Run[], reason: string): Promise<void> {
    for (const run of placed) await this.#deps.dispatcher.requeue(run, reason);
  }
}

function keyOf(run: Run): string {
  return `${run.spec.id}/${run.assignment?.attempt}`;
}

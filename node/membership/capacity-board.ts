/** The newest capacity notice of each member, and when it was heard. Hints: who schedules by them fences later. */
import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock } from '../ports.ts';

const SILENCE_MS = 5_000;

export interface Heard {
  readonly notice: CapacityNotice;
  /** Clock.monotonicMs() */
  readonly heardAtMs: number;
}

export class CapacityBoard {
  readonly #clock: Clock;
  readonly #heard = new Map<NodeId, Heard>();

  readonly #listeners = new Set<(notice: CapacityNotice) => void>();

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  /** False for a notice older than the one at hand: gossip may reorder. */
  hear(notice: CapacityNotice): boolean {
    const known = this.#heard.get(notice.node);
    // After a silence any notice will do: the node's wall clock may have been set back before it restarted.
    const silent = known && this.#clock.monotonicMs() - known.heardAtMs > SILENCE_MS;
    if (known && !silent && !isNewer(notice, known.notice)) return false;
    this.#heard.set(notice.node, { notice, heardAtMs: this.#clock.monotonicMs() });
    for (const listener of this.#listeners) listener(notice);
    return true;
  }

  onHeard(listener: (notice: CapacityNotice) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get(node: NodeId): Heard | undefined {
    return this.#heard.get(node);
  }

  /** Notices heard within the last `withinMs` milliseconds. */
  fresh(withinMs: number): CapacityNotice[] {
    const since = this.#clock.monotonicMs() - withinMs;
    return [...this.#heard.values()].filter((heard) => heard.heardAtMs >= since).map((heard) => heard.notice);
  }
}

function isNewer(notice: CapacityNotice, known: CapacityNotice): boolean {
  if (notice.startedAtMs !== known.startedAtMs) return notice.startedAtMs > known.startedAtMs;
  return notice.sequence > known.sequence;
}

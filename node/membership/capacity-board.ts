/**
 * The newest capacity notice of each member, and when it was heard. Hints: who schedules by them fences later.
 *
 * A notice may be a lie, or an old one that somebody plays again. It is heeded only if it follows from what the node
 * said before: its sequence grows, its machine stays what it is from one start to the next, and a start that was
 * followed by another one is over for good.
 */
import { isDeepStrictEqual } from 'node:util';
import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';

const SILENCE_MS = 5_000;
/** Starts of one node that are remembered as over. */
const MAX_PAST_STARTS = 16;

export interface Heard {
  readonly notice: CapacityNotice;
  /** Clock.monotonicMs() */
  readonly heardAtMs: number;
}

interface Known extends Heard {
  /** The newest first. */
  readonly pastStarts: readonly number[];
  /** Whether the log was told of what did not make sense since this start. */
  doubted: boolean;
}

export class CapacityBoard {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #heard = new Map<NodeId, Known>();

  readonly #listeners = new Set<(notice: CapacityNotice) => void>();

  constructor(dependencies: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
  }

  /** False for a notice that isn't heeded: gossip may reorder, and lie. */
  hear(notice: CapacityNotice): boolean {
    const known = this.#heard.get(notice.node);
    if (known !== undefined && !this.#follows(known, notice)) return false;
    const heardAtMs = this.#clock.monotonicMs();
    const isRestart = known !== undefined && known.notice.startedAtMs !== notice.startedAtMs;
    const pastStarts = isRestart
      ? [known.notice.startedAtMs, ...known.pastStarts].slice(0, MAX_PAST_STARTS)
      : (known?.pastStarts ?? []);
    const doubted = known?.doubted === true && !isRestart;
    this.#heard.set(notice.node, { notice, heardAtMs, pastStarts, doubted });
    for (const listener of this.#listeners) listener(notice);
    return true;
  }

  /** The node is no member any more. */
  forget(node: NodeId): void {
    this.#heard.delete(node);
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

  #follows(known: Known, notice: CapacityNotice): boolean {
    const { startedAtMs, sequence } = known.notice;
    if (notice.startedAtMs === startedAtMs) {
      if (notice.sequence <= sequence) return false;
      if (isDeepStrictEqual(machineOf(notice), machineOf(known.notice))) return true;
      if (!known.doubted) {
        known.doubted = true;
        const { node, name } = notice;
        this.#logger.warn({ node, name }, 'a node tells of another machine than before, without a restart');
      }
      return false;
    }
    if (known.pastStarts.includes(notice.startedAtMs)) return false;
    // After a silence an earlier start will do: the node's wall clock may have been set back before it restarted.
    const isSilent = this.#clock.monotonicMs() - known.heardAtMs > SILENCE_MS;
    return notice.startedAtMs > startedAtMs || isSilent;
  }
}

/** What stays as it is while a daemon runs. */
function machineOf({ cpuModel, domains }: CapacityNotice): unknown {
  return [cpuModel, ...domains.map(({ id, ways, wayBytes, cpus }) => [id, ways, wayBytes, cpus])];
}

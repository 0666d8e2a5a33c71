/** Hands in reports, again and again, until a master takes them: a result outlives the master that asked for it. */
import type { Clock, Logger, Random } from '../ports.ts';
import type { AttemptReport } from './types.ts';

/** `retry`: nobody could be asked, or nobody who may decide. */
export type Delivery = 'accepted' | 'stale' | 'retry';

export interface OutboxOptions {
  /** Before the second try; doubles from try to try. @default 100 */
  readonly firstRetryMs?: number;
  /** Longest time between two tries. @default 5000 */
  readonly longestRetryMs?: number;
}

export interface OutboxDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  deliver(report: AttemptReport): Promise<Delivery>;
}

export class Outbox {
  readonly #firstRetryMs: number;
  readonly #longestRetryMs: number;
  readonly #dependencies: OutboxDependencies;
  readonly #stop = new AbortController();

  constructor(options: OutboxOptions, dependencies: OutboxDependencies) {
    this.#firstRetryMs = options.firstRetryMs ?? 100;
    this.#longestRetryMs = options.longestRetryMs ?? 5000;
    this.#dependencies = dependencies;
  }

  /** Null when it was given up, because `abandon` aborted or the outbox was stopped. Never rejects. */
  async send(report: AttemptReport, abandon: AbortSignal): Promise<'accepted' | 'stale' | null> {
    const { random, logger } = this.#dependencies;
    const quit = AbortSignal.any([abandon, this.#stop.signal]);
    const { runId, attempt } = report;
    for (
      let delayMs = this.#firstRetryMs;
      !quit.aborted;
      delayMs = Math.min(delayMs * 2, this.#longestRetryMs)
    ) {
      // A delivery that hangs must not hold up the end of the daemon.
      const delivery = await Promise.race([this.#try(report), whenAborted(quit)]);
      if (delivery === 'accepted' || delivery === 'stale') return delivery;
      logger.debug({ runId, attempt, delayMs }, 'report was not taken; it is tried again');
      // Between half and the whole of the delay, so that many workers don't come back to a new master at once.
      await this.#wait(delayMs * (0.5 + random.next() / 2), quit);
    }
    return null;
  }

  /** Gives up everything that is waiting. */
  stop(): void {
    this.#stop.abort();
  }

  async #try(report: AttemptReport): Promise<Delivery> {
    try {
      return await this.#dependencies.deliver(report);
    } catch (error) {
      this.#dependencies.logger.warn({ err: error, runId: report.runId }, 'report could not be delivered');
      return 'retry';
    }
  }

  async #wait(delayMs: number, quit: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#dependencies.clock.after(delayMs, resolve);
    await Promise.race([promise, whenAborted(quit)]);
    cancel();
  }
}

function whenAborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}

/** Hands in reports, again and again, until a master takes them: a result outlives the master that asked for it. */
import type { AttemptReport } from '../../protocols/schema/attempt.ts';
import { type BackOffRange, backOff, spread } from '../back-off.ts';
import { pause } from '../pause.ts';
import type { Clock, Logger, Random } from '../ports.ts';

/** `retry`: nobody could be asked, or nobody who may decide. */
export type Delivery = 'accepted' | 'stale' | 'retry';

const RETRY: BackOffRange = { firstMs: 100, longestMs: 5000 };

export interface OutboxDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  deliver(report: AttemptReport): Promise<Delivery>;
}

export class Outbox {
  readonly #deps: OutboxDependencies;
  readonly #stop = new AbortController();

  constructor(dependencies: OutboxDependencies) {
    this.#deps = dependencies;
  }

  /** Null when it was given up, because `abandon` aborted or the outbox was stopped. Never rejects. */
  async send(report: AttemptReport, abandon: AbortSignal): Promise<'accepted' | 'stale' | null> {
    const { clock, random, logger } = this.#deps;
    const quit = AbortSignal.any([abandon, this.#stop.signal]);
    const { runId, attempt } = report;
    for (let failures = 0; !quit.aborted; failures++) {
      // A delivery that hangs must not hold up the end of the daemon.
      const delivery = await Promise.race([this.#try(report), whenAborted(quit)]);
      if (delivery === 'accepted' || delivery === 'stale') return delivery;
      const delayMs = spread(backOff(RETRY, failures), random);
      logger.debug({ runId, attempt, delayMs }, 'report was not taken; it is tried again');
      await pause(clock, delayMs, quit);
    }
    return null;
  }

  /** Gives up everything that is waiting. */
  stop(): void {
    this.#stop.abort();
  }

  async #try(report: AttemptReport): Promise<Delivery> {
    try {
      return await this.#deps.deliver(report);
    } catch (error) {
      this.#deps.logger.warn({ err: error, runId: report.runId }, 'report could not be delivered');
      return 'retry';
    }
  }
}

function whenAborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}

/** Waits for runs to end, by watching the tables: it goes on working when this node stops being master. */
import { type Answer, type ApiFailure, fail, succeed } from '../../protocols/schema/outcome.ts';
import { isTerminal, type Run } from '../../protocols/schema/run.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { Tables } from '../state/tables.ts';

type Waiter = (failure: ApiFailure | null) => void;

export class RunWatch {
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #unsubscribe: Cancel;

  constructor(dependencies: { readonly tables: Tables; readonly clock: Clock }) {
    this.#tables = dependencies.tables;
    this.#clock = dependencies.clock;
    this.#unsubscribe = this.#tables.onApplied((command) => {
      if ('runId' in command && this.#waiters.has(command.runId)) this.#wake(command.runId);
    });
  }

  /** Fails everyone who waits: this node no longer hears of the cluster, or stops. */
  abandon(failure: ApiFailure): void {
    for (const waiters of [...this.#waiters.values()]) for (const waiter of [...waiters]) waiter(failure);
  }

  stop(): void {
    this.#unsubscribe();
    this.abandon({ code: 'UNAVAILABLE', message: 'this node stops; ask another one', retryAfterSeconds: 1 });
  }

  /** The run when it is over; after `waitMs` as it then is. An abort of `signal` ends the waiting, not the run. */
  async finished(runId: string, signal: AbortSignal, waitMs: number | null = null): Promise<Answer<Run>> {
    const run = this.#tables.run(runId);
    if (!run) return fail({ code: 'NOT_FOUND', message: `there is no run ${runId}` });
    if (isTerminal(run) || waitMs === 0) return succeed(run);
    const failure = await this.#wait(runId, signal, waitMs);
    if (failure) return fail(failure);
    return succeed(this.#tables.run(runId) ?? run);
  }

  #wait(runId: string, signal: AbortSignal, waitMs: number | null): Promise<ApiFailure | null> {
    return new Promise((resolve) => {
      const done = (failure: ApiFailure | null): void => {
        waiters.delete(done);
        if (waiters.size === 0 && this.#waiters.get(runId) === waiters) this.#waiters.delete(runId);
        signal.removeEventListener('abort', onAbort);
        cancelTimer();
        resolve(failure);
      };
      const onAbort = (): void =>
        done({ code: 'UNAVAILABLE', message: 'the client went away; the run goes on' });
      const waiters = this.#waiters.get(runId) ?? new Set<Waiter>();
      this.#waiters.set(runId, waiters.add(done));
      const cancelTimer = waitMs === null ? () => {} : this.#clock.after(waitMs, () => done(null));
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }

  #wake(runId: string): void {
    const run = this.#tables.run(runId);
    if (run && !isTerminal(run)) return;
    for (const waiter of [...(this.#waiters.get(runId) ?? [])]) waiter(null);
  }
}

import type { Cancel, Clock } from '../ports.ts';

/** A clock whose timers all end with their owner: none is left to keep the process, or a test, waiting. */
export class TimerScope implements Clock {
  readonly #clock: Clock;
  readonly #pending = new Set<Cancel>();
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, task: () => void): Cancel {
    return this.#keep((done) =>
      this.#clock.after(delayMs, () => {
        done();
        task();
      }),
    );
  }

  every(periodMs: number, task: () => void): Cancel {
    return this.#keep(() => this.#clock.every(periodMs, task));
  }

  /** Calls off everything; nothing can be set any more. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#pending) cancel();
    this.#pending.clear();
  }

  #keep(start: (done: () => void) => Cancel): Cancel {
    if (this.#stopped) return () => {};
    const cancel = start(() => this.#pending.delete(cancel));
    this.#pending.add(cancel);
    return () => {
      this.#pending.delete(cancel);
      cancel();
    };
  }
}

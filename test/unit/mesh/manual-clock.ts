import type { Cancel, Clock } from '../../../node/ports.ts';

/** A clock that moves only when it is told to. */
export class ManualClock implements Clock {
  #now = 1000;
  readonly #timers = new Set<{ atMs: number; periodMs: number | null; task: () => void }>();

  nowMs() {
    return this.#now;
  }
  monotonicMs() {
    return this.#now;
  }
  after(delayMs: number, task: () => void): Cancel {
    return this.#add({ atMs: this.#now + delayMs, periodMs: null, task });
  }
  every(periodMs: number, task: () => void): Cancel {
    return this.#add({ atMs: this.#now + periodMs, periodMs, task });
  }

  get timers(): number {
    return this.#timers.size;
  }

  advance(byMs: number) {
    const end = this.#now + byMs;
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#now = Math.max(this.#now, due.atMs);
      if (due.periodMs === null) this.#timers.delete(due);
      else due.atMs += due.periodMs;
      due.task();
    }
    this.#now = end;
  }

  #add(timer: { atMs: number; periodMs: number | null; task: () => void }): Cancel {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

/** A clock that stands still until it is told to advance; due tasks run in order of their time. */
import type { Cancel, Clock } from '../../node/ports.ts';

interface Timer {
  readonly id: number;
  atMs: number;
  readonly periodMs: number | null;
  readonly task: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 1_000_000;
  #nextId = 0;
  readonly #timers = new Map<number, Timer>();

  nowMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): Cancel {
    return this.#add(delayMs, null, task);
  }

  every(periodMs: number, task: () => void): Cancel {
    return this.#add(periodMs, periodMs, task);
  }

  /** Runs what falls due within `byMs`, each task at its own time. */
  advance(byMs: number): void {
    const end = this.#nowMs + byMs;
    for (;;) {
      const next = [...this.#timers.values()]
        .filter((timer) => timer.atMs <= end)
        .sort((left, right) => left.atMs - right.atMs || left.id - right.id)[0];
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.periodMs === null) this.#timers.delete(next.id);
      else next.atMs += Math.max(1, next.periodMs);
      next.task();
    }
    this.#nowMs = end;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  #add(delayMs: number, periodMs: number | null, task: () => void): Cancel {
    const id = this.#nextId++;
    this.#timers.set(id, { id, atMs: this.#nowMs + delayMs, periodMs, task });
    return () => this.#timers.delete(id);
  }
}

/** Lets everything that waits only for promises come to rest. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

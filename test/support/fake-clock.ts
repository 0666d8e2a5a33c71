/**
 * The clock of all tests but the simulator's, which draws the order of events from its seed: it stands still until it
 * is told.
 */
import type { Cancel, Clock } from '../../node/ports.ts';

interface Timer {
  readonly id: number;
  atMs: number;
  readonly periodMs: number | null;
  readonly task: () => void;
}

const EPOCH_MS = 1_700_000_000_000;
/** So much time passes at once where promises settle in between. */
const STEP_MS = 5;

export class FakeClock implements Clock {
  #nowMs: number;
  #nextId = 0;
  readonly #timers = new Map<number, Timer>();

  constructor(startMs = 1_000_000) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return EPOCH_MS + this.#nowMs;
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

  /** Runs what falls due within `byMs`, each task at its own time, and in order. */
  advance(byMs: number): void {
    const end = this.#nowMs + byMs;
    for (;;) {
      const [next] = this.#sorted();
      if (!next || next.atMs > end) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#fire(next, next.atMs);
    }
    this.#nowMs = end;
  }

  /** As `advance`, in small steps, and what became ready is carried out in between. */
  async pass(byMs: number): Promise<void> {
    for (const end = this.#nowMs + byMs; this.#nowMs < end; ) {
      this.advance(Math.min(STEP_MS, end - this.#nowMs));
      await settled();
    }
  }

  /** The event loop is blocked for `byMs`: each timer that became due fires once, late. */
  async block(byMs: number): Promise<void> {
    this.#nowMs += byMs;
    for (const timer of this.#sorted())
      if (timer.atMs <= this.#nowMs && this.#timers.has(timer.id)) this.#fire(timer, this.#nowMs);
    await settled();
  }

  /** Time passes until `condition` holds. */
  async until(condition: () => boolean, limitMs = 20_000): Promise<void> {
    for (const end = this.#nowMs + limitMs; !condition(); ) {
      if (this.#nowMs >= end) throw new Error(`not within ${limitMs} virtual ms: ${condition}`);
      await this.pass(STEP_MS);
    }
  }

  /** Delays of the timers that are set, ascending. */
  pending(): number[] {
    return this.#sorted().map(({ atMs }) => atMs - this.#nowMs);
  }

  #sorted(): Timer[] {
    return [...this.#timers.values()].sort((left, right) => left.atMs - right.atMs || left.id - right.id);
  }

  #fire(timer: Timer, atMs: number): void {
    if (timer.periodMs === null) this.#timers.delete(timer.id);
    else timer.atMs = atMs + Math.max(1, timer.periodMs);
    timer.task();
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

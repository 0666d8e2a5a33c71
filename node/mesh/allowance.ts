/** How often each of many may do something: so many times at once, then so many a second (a token bucket each). */
import type { Clock } from '../ports.ts';

/** Keys remembered at most; the longest unused is forgotten first. */
const MAX_KEYS = 4096;

export interface AllowanceOptions {
  readonly burst: number;
  readonly perSecond: number;
}

export class Allowance {
  readonly #options: AllowanceOptions;
  readonly #clock: Clock;
  readonly #left = new Map<string, { readonly count: number; readonly atMs: number }>();

  constructor(options: AllowanceOptions, dependencies: { readonly clock: Clock }) {
    this.#options = options;
    this.#clock = dependencies.clock;
  }

  /** Whether it may once more, or `amount` times; if so, that is counted. */
  take(key: string, amount = 1): boolean {
    const { burst, perSecond } = this.#options;
    const now = this.#clock.monotonicMs();
    const known = this.#left.get(key);
    const grown = known ? known.count + ((now - known.atMs) / 1000) * perSecond : burst;
    const count = Math.min(burst, grown);
    const may = count >= amount;
    this.#left.delete(key);
    this.#left.set(key, { count: may ? count - amount : count, atMs: now });
    const [oldest] = this.#left.keys();
    if (this.#left.size > MAX_KEYS && oldest !== undefined) this.#left.delete(oldest);
    return may;
  }
}

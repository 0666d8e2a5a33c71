import type { Clock } from '../ports.ts';

export interface BanOptions {
  /** Wrong tokens until a peer is refused. @default 3 */
  readonly tries?: number;
  /** How long it is refused, and how long a wrong try counts. @default 300000 */
  readonly banMs?: number;
}

/** Peers remembered at most: ids cost nothing to make, memory does. */
const MAX_REMEMBERED = 4096;

/** Counts wrong tokens by peer id and refuses who guesses. */
export class BanList {
  readonly #tries: number;
  readonly #banMs: number;
  readonly #clock: Clock;
  readonly #wrong = new Map<string, { count: number; untilMs: number }>();

  constructor(options: BanOptions, dependencies: { readonly clock: Clock }) {
    this.#tries = options.tries ?? 3;
    this.#banMs = options.banMs ?? 300_000;
    this.#clock = dependencies.clock;
  }

  isBanned(id: string): boolean {
    return (this.#current(id)?.count ?? 0) >= this.#tries;
  }

  /** Counts one wrong try; true when the peer is banned now. */
  recordWrongTry(id: string): boolean {
    const count = (this.#current(id)?.count ?? 0) + 1;
    this.#wrong.delete(id);
    this.#wrong.set(id, { count, untilMs: this.#clock.monotonicMs() + this.#banMs });
    const oldest = this.#wrong.keys().next();
    if (this.#wrong.size > MAX_REMEMBERED && oldest.done !== true) this.#wrong.delete(oldest.value);
    return count >= this.#tries;
  }

  forgive(id: string): void {
    this.#wrong.delete(id);
  }

  #current(id: string): { count: number; untilMs: number } | undefined {
    const entry = this.#wrong.get(id);
    if (entry === undefined || this.#clock.monotonicMs() < entry.untilMs) return entry;
    this.#wrong.delete(id);
    return undefined;
  }
}

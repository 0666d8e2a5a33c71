import type { Clock } from '../ports.ts';

/** Wrong tokens until a peer is refused. */
const TRIES = 3;
/** How long a peer is refused, and how long a wrong try counts. */
const BAN_MS = 300_000;
/** Peers remembered at most: ids cost nothing to make, memory does. */
const MAX_REMEMBERED = 4096;

/** Counts wrong tokens by peer id and refuses who guesses. */
export class BanList {
  readonly #clock: Clock;
  readonly #wrong = new Map<string, { count: number; untilMs: number }>();

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  isBanned(id: string): boolean {
    return (this.#current(id)?.count ?? 0) >= TRIES;
  }

  /** Counts one wrong try; true when the peer is banned now. */
  recordWrongTry(id: string): boolean {
    const count = (this.#current(id)?.count ?? 0) + 1;
    this.#wrong.delete(id);
    this.#wrong.set(id, { count, untilMs: this.#clock.monotonicMs() + BAN_MS });
    const oldest = this.#wrong.keys().next();
    if (this.#wrong.size > MAX_REMEMBERED && oldest.done !== true) this.#wrong.delete(oldest.value);
    return count >= TRIES;
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

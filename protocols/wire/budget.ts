/** Bytes that wait in memory for the rest of their frames, counted over all streams of one peer. */
export class ByteBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /** False when it would be too much; then nothing is counted. */
  take(count: number): boolean {
    if (this.#held + count > this.#limit) return false;
    this.#held += count;
    return true;
  }

  give(count: number): void {
    this.#held -= count;
  }
}

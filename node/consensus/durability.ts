/** Which writes are under way, and how much of the log is surely on this node's disk. */

interface PendingWrite {
  readonly sequence: number;
  /** Tick at which it was issued. */
  readonly since: number;
  /** The log is on disk up to here once this write is; lowered when that part is truncated meanwhile. */
  index: number;
}

export class Durability {
  #issued = 0;
  #confirmed = 0;
  #index: number;
  #pending: PendingWrite[] = [];

  constructor(index: number) {
    this.#index = index;
  }

  /** The log is durable up to here. */
  get index(): number {
    return this.#index;
  }

  /** What a message that depends on all state so far has to wait for; 0 when it is all on disk. */
  get barrier(): number {
    return this.#issued > this.#confirmed ? this.#issued : 0;
  }

  /** The sequence of the write that will be issued next. */
  get next(): number {
    return this.#issued + 1;
  }

  issue(lastIndex: number, now: number): number {
    this.#issued++;
    this.#pending.push({ sequence: this.#issued, since: now, index: lastIndex });
    return this.#issued;
  }

  /**
   * Entries from `index` on are replaced. A write of them that is still under way will not make them durable:
   * when it is confirmed, a later write may have replaced them or be about to, even if entries with the same
   * index and term have come back since (the append ABA race).
   */
  truncated(index: number): void {
    this.#index = Math.min(this.#index, index - 1);
    for (const write of this.#pending) write.index = Math.min(write.index, index - 1);
  }

  confirm(sequence: number): void {
    this.#confirmed = Math.max(this.#confirmed, sequence);
    while (this.#pending[0] !== undefined && this.#pending[0].sequence <= sequence) {
      this.#index = Math.max(this.#index, this.#pending[0].index);
      this.#pending.shift();
    }
  }

  /** For how many ticks the oldest write has been under way. */
  stalledTicks(now: number): number {
    const oldest = this.#pending[0];
    return oldest === undefined ? 0 : now - oldest.since;
  }
}

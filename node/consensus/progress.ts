/**
 * What a leader knows of one follower's log, and how fast it may send to it.
 *
 * probe      it is not known where the logs agree: one append at a time, until it is answered
 * replicate  it is: appends are sent ahead of their answers, as many as the window allows
 */
export class Progress {
  /** The logs agree durably up to here. */
  match = 0;
  /** The next entry to send. */
  next: number;
  state: 'probe' | 'replicate' = 'probe';
  /** The highest commit index that an append told it. */
  toldCommit = 0;
  /** Tick at which it was last heard; until it answers, that from which on it could. */
  heardAt: number;
  /** Whether it has answered this leader at all. */
  hasAnswered = false;
  /** A heartbeat is on its way that it hasn't answered. */
  awaitsHeartbeat = false;
  /** A probe is on its way. */
  #probing = false;
  /** Last index of each append on its way, ascending. */
  #inFlight: number[] = [];
  readonly #window: number;

  constructor(next: number, now: number, window: number) {
    this.next = next;
    this.heardAt = now;
    this.#window = window;
  }

  heard(now: number): void {
    this.heardAt = now;
    this.hasAnswered = true;
  }

  get paused(): boolean {
    return this.state === 'probe' ? this.#probing : this.#inFlight.length >= this.#window;
  }

  /** An append that ends at `lastIndex` is on its way; `count` is how many entries it holds. */
  sent(lastIndex: number, count: number): void {
    if (this.state === 'probe') {
      this.#probing = true;
    } else if (count > 0) {
      this.next = lastIndex + 1;
      this.#inFlight.push(lastIndex);
    }
  }

  /** @returns whether this was news */
  accepted(index: number): boolean {
    const news = index > this.match;
    this.match = Math.max(this.match, index);
    this.next = Math.max(this.next, index + 1);
    this.#inFlight = this.#inFlight.filter((last) => last > index);
    if (this.state === 'probe') {
      this.state = 'replicate';
      this.next = this.match + 1;
      this.#probing = false;
      this.#inFlight = [];
    }
    return news;
  }

  /**
   * An append after `previousIndex` didn't fit; the logs may agree at `hint`.
   * @returns false when the rejection is stale and changed nothing
   */
  rejected(previousIndex: number, hint: number): boolean {
    if (this.state === 'replicate') {
      if (previousIndex <= this.match) return false;
      this.probe();
      return true;
    }
    if (previousIndex !== this.next - 1) return false;
    this.next = Math.max(Math.min(previousIndex, hint + 1), this.match + 1);
    this.#probing = false;
    return true;
  }

  /** Back to probing from what is surely there: appends on their way may be lost. */
  probe(): void {
    this.state = 'probe';
    this.next = this.match + 1;
    this.#probing = false;
    this.#inFlight = [];
  }

  /** It answered a heartbeat: it lives, so an unanswered append may have been lost; let one more out. */
  resume(): void {
    this.#probing = false;
    if (this.#inFlight.length >= this.#window) this.#inFlight.shift();
  }
}

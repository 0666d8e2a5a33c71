/** Remembers the newest dispatch of each run, so that orders of deposed masters, or late ones, are known as stale. */

/** Ordered by term, then by attempt: two masters may have given the same attempt number to different orders. */
export interface Fence {
  readonly term: number;
  readonly attempt: number;
}

/** `same`: this very order was accepted before. An order that was refused may come again and is `newer` again. */
export type FenceVerdict = 'newer' | 'same' | 'stale';

export class Fences {
  readonly #limit: number;
  readonly #seen = new Map<string, Fence & { readonly accepted: boolean }>();

  /** Of more than `limit` runs those that were longest unheard of are forgotten. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Judges a dispatch and, if it is newer, makes all older ones stale. The first of a run is `newer`. */
  judge(runId: string, fence: Fence): FenceVerdict {
    const seen = this.#seen.get(runId);
    const order = seen === undefined ? 1 : compare(fence, seen);
    if (order < 0) return 'stale';
    if (order === 0 && seen?.accepted === true) return 'same';
    this.#put(runId, fence, false);
    return 'newer';
  }

  /** This order is known when it comes again. It has no effect when a newer one was seen since it was judged. */
  accept(runId: string, fence: Fence): void {
    const seen = this.#seen.get(runId);
    if (seen === undefined || compare(fence, seen) >= 0) this.#put(runId, fence, true);
  }

  #put(runId: string, { term, attempt }: Fence, accepted: boolean): void {
    this.#seen.delete(runId);
    this.#seen.set(runId, { term, attempt, accepted });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > this.#limit && oldest !== undefined) this.#seen.delete(oldest);
  }
}

function compare(a: Fence, b: Fence): number {
  return a.term - b.term || a.attempt - b.attempt;
}

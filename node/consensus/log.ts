/**
 * The log in memory, as the core sees it. `base` is the index before the first entry: 0 as long as nothing
 * compacts the log, but nothing here counts on that.
 */
import { ConsensusError } from './errors.ts';
import type { Entry } from './types.ts';

/** Fixed share of an entry in every limit on bytes, so that empty entries aren't free. */
const ENTRY_OVERHEAD_BYTES = 32;

/** What an entry counts for in the limits on bytes; near its size on the wire. */
export function entryBytes(entry: Entry): number {
  if (entry.kind === 'command') return ENTRY_OVERHEAD_BYTES + entry.data.length;
  if (entry.kind === 'noop') return ENTRY_OVERHEAD_BYTES;
  const { voters, learners } = entry.configuration;
  return [...voters, ...learners].reduce((sum, id) => sum + id.length + 2, ENTRY_OVERHEAD_BYTES);
}

export class RaftLog {
  readonly #base: { readonly index: number; readonly term: number };
  readonly #entries: Entry[];

  /** @throws ConsensusError CORRUPT when `entries` have gaps or falling terms */
  constructor(entries: readonly Entry[], base = { index: 0, term: 0 }) {
    this.#base = base;
    this.#entries = [];
    this.append(entries);
  }

  get firstIndex(): number {
    return this.#base.index + 1;
  }

  get lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }

  /** Null outside of the log. */
  termAt(index: number): number | null {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term ?? null;
  }

  entryAt(index: number): Entry | null {
    return this.#entries[index - this.#base.index - 1] ?? null;
  }

  /** Entries from..to, both included. */
  range(from: number, to: number): readonly Entry[] {
    return this.#entries.slice(from - this.#base.index - 1, to - this.#base.index);
  }

  /** Entries from `from` on of at most `maxBytes` together, but at least one where there is one. */
  batch(from: number, maxBytes: number): readonly Entry[] {
    let bytes = 0;
    let end = from - this.#base.index - 1;
    for (let entry = this.#entries[end]; entry !== undefined; entry = this.#entries[end]) {
      bytes += entryBytes(entry);
      if (bytes > maxBytes && end > from - this.#base.index - 1) break;
      end++;
    }
    return this.#entries.slice(from - this.#base.index - 1, end);
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.lastIndex + 1 || entry.term < this.lastTerm) {
        throw new ConsensusError(
          'CORRUPT',
          `entry ${entry.index} of term ${entry.term} can't follow entry ${this.lastIndex} of term ${this.lastTerm}`,
        );
      }
      this.#entries.push(entry);
    }
  }

  /** Deletes everything from `index` on. */
  truncate(index: number): void {
    this.#entries.length = Math.max(0, index - this.#base.index - 1);
  }

  /** The first of `entries` that the log doesn't hold or holds with another term; null when it holds all. */
  firstMissing(entries: readonly Entry[]): Entry | null {
    return entries.find((entry) => this.termAt(entry.index) !== entry.term) ?? null;
  }

  /** Raft, section 5.4.1: is a log that ends in (index, term) at least as up to date as this one? */
  isUpToDate(index: number, term: number): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex);
  }

  /**
   * The last index, not above `index`, whose term isn't above `term`: where two logs of which one has
   * (index, term) may agree at the earliest, seen from the end (Raft, end of section 5.3).
   */
  lastNotAbove(index: number, term: number): { readonly index: number; readonly term: number } {
    // Terms never fall, and a log is long: the half is looked at that can hold it.
    let [at, above] = [this.#base.index, Math.min(index, this.lastIndex) + 1];
    while (above - at > 1) {
      const middle = Math.floor((at + above) / 2);
      if ((this.termAt(middle) ?? 0) > term) above = middle;
      else at = middle;
    }
    return { index: at, term: this.termAt(at) ?? 0 };
  }
}

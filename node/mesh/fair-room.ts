/**
 * A bounded number of places for whoever comes from outside, shared between the sources that they come from. Nobody is
 * turned away: who enters a full room takes the place of the longest there of the source with the most. So one that
 * takes many places takes them from itself, and cannot keep others out; nor could it by holding on to them.
 */
export class FairRoom<T> {
  readonly #places: number;
  /** By source, in the order of their coming. */
  readonly #occupants = new Map<string, Set<T>>();
  #count = 0;

  constructor(places: number) {
    this.#places = places;
  }

  get size(): number {
    return this.#count;
  }

  /** Who had to go for it; null: there was room. */
  enter(source: string, occupant: T): T | null {
    const those = this.#occupants.get(source) ?? new Set();
    if (those.has(occupant)) return null;
    those.add(occupant);
    this.#occupants.set(source, those);
    this.#count += 1;
    if (this.#count <= this.#places) return null;
    const [most, rival] = this.#largest(source);
    const [longest] = rival;
    if (longest === undefined) return null;
    this.leave(most, longest);
    return longest;
  }

  leave(source: string, occupant: T): void {
    const those = this.#occupants.get(source);
    if (those?.delete(occupant) !== true) return;
    this.#count -= 1;
    if (those.size === 0) this.#occupants.delete(source);
  }

  /** Of equals one that is not `source`: who has just come is not to go. */
  #largest(source: string): [string, ReadonlySet<T>] {
    let found: [string, ReadonlySet<T>] = [source, this.#occupants.get(source) ?? new Set()];
    for (const [other, those] of this.#occupants) {
      const isLarger = those.size > found[1].size || (those.size === found[1].size && found[0] === source);
      if (isLarger) found = [other, those];
    }
    return found;
  }
}

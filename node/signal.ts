import type { Cancel } from './ports.ts';

/** Tells that something has changed to whoever wants to know; what it was, they look up. Made before all who use it. */
export class Signal {
  readonly #listeners = new Set<() => void>();

  on(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  raise(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The filter as a file without a name, for programs that load it; whoever reads it opens it anew, from its beginning. */
import { closeSync, openSync } from 'node:fs';
import { openUnnamed } from '../../program-streams.ts';

export class FilterFile {
  readonly #descriptor: number;

  /** @param path a name that it has for a moment */
  constructor(path: string, filter: Uint8Array) {
    this.#descriptor = openUnnamed(path, filter);
  }

  /** A descriptor to hand on. */
  open(): number {
    return openSync(`/proc/self/fd/${this.#descriptor}`, 'r');
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

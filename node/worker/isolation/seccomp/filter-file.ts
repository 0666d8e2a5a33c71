/** The filter as a file without a name, for programs that load it; whoever reads it opens it anew, from its beginning. */
import { closeSync, mkdtempSync, openSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { orNull } from '../../../or-null.ts';
import { openUnnamed } from '../../program-streams.ts';

/** Where everybody may write, so in a directory of our own. */
const MEMORY = '/dev/shm';

export class FilterFile {
  readonly #descriptor: number;

  /**
   * In memory where there is any for files: the disk may be full.
   * @param directory of the daemon's alone, where it has a name for a moment if not
   */
  constructor(directory: string, filter: Uint8Array) {
    this.#descriptor = orNull(() => openInMemory(filter)) ?? openUnnamed(join(directory, '.filter'), filter);
  }

  /** A descriptor to hand on. */
  open(): number {
    return openSync(`/proc/self/fd/${this.#descriptor}`, 'r');
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function openInMemory(filter: Uint8Array): number {
  const directory = mkdtempSync(join(MEMORY, 'fsched-filter-'));
  try {
    return openUnnamed(join(directory, 'filter'), filter);
  } finally {
    rmdirSync(directory);
  }
}

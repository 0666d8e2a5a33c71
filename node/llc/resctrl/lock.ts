/**
 * The one lock of a resctrl filesystem. The reason for it: whatever a node does there is to read who holds what, to
 * decide, to make a group and to write masks, and all of that is only right while nobody else does the same. Others
 * are operations of this process, which take turns in the order of asking, and other programs, which the kernel's
 * documentation asks to take flock(2) on the mounted directory (filesystems/resctrl.rst, "Locking between
 * applications"). So a turn here includes that lock.
 */
import { Turns } from '../../turns.ts';

/** The lock between programs. */
export interface OuterLock {
  /** Not called again before `release`. */
  acquire(): Promise<void>;
  release(): Promise<void>;
}

export class ResctrlLock {
  readonly #outer: OuterLock | null;
  readonly #turns = new Turns();

  /** @param outer null where there are no other programs */
  constructor(outer: OuterLock | null = null) {
    this.#outer = outer;
  }

  /**
   * Not reentrant: `work` must not ask for the same lock. `refused` runs in its place, in the same turn, when other
   * programs don't let go. Rejects as these do, and when the lock turns out to have been lost meanwhile.
   */
  hold<T>(work: () => Promise<T>, refused: (cause: unknown) => T = rethrow): Promise<T> {
    return this.#turns.take(async () => {
      try {
        await this.#outer?.acquire();
      } catch (cause) {
        return refused(cause);
      }
      try {
        return await work();
      } finally {
        await this.#outer?.release();
      }
    });
  }
}

function rethrow(cause: unknown): never {
  throw cause;
}

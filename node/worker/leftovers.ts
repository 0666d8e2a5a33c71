/**
 * The working directories of runs that are over. What can't be removed at once is moved out of the way, tried again,
 * less and less often, and at the next start of the node, and told meanwhile.
 */
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { backOff } from '../back-off.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { removeTree } from './remove-tree.ts';

export interface LeftoversDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default removeTree */
  readonly remove?: (path: string) => Promise<void>;
}

const AGAIN = { firstMs: 10_000, longestMs: 3_600_000 };
/** Of names in the place of working directories; a program can't make one there. */
const PREFIX = '.left-';

export class Leftovers {
  readonly #deps: Required<LeftoversDependencies>;
  /** By path, with the timer of the next try. */
  readonly #left = new Map<string, Cancel>();
  #isStopped = false;

  constructor(dependencies: LeftoversDependencies) {
    this.#deps = { remove: removeTree, ...dependencies };
  }

  /** What its operator must mend; null: nothing. */
  get trouble(): string | null {
    const [first] = this.#left.keys();
    if (first === undefined) return null;
    const count = this.#left.size;
    const what =
      count === 1 ? 'a directory of a run that is over' : `${count} directories of runs that are over`;
    return `${what} can't be removed, such as ${first}: its log says why, and the node tries again`;
  }

  /** Removes a working directory and the record beside it. Never rejects. */
  async remove(directory: string): Promise<void> {
    const [tree] = await Promise.allSettled([
      this.#deps.remove(directory),
      rm(`${directory}.pid`, { force: true }),
    ]);
    if (tree.status === 'rejected') await this.#keep(directory, tree.reason);
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#left.values()) cancel();
  }

  /** Another attempt of the run may need the name. */
  async #keep(directory: string, reason: unknown): Promise<void> {
    const name = basename(directory);
    const aside = join(dirname(directory), name.startsWith(PREFIX) ? name : `${PREFIX}${name}`);
    const path = await rename(directory, aside).then(
      () => aside,
      () => directory,
    );
    this.#deps.logger.warn({ err: reason, directory: path }, 'working directory could not be removed');
    if (path === aside) this.#again(path, 0);
    else this.#left.set(path, () => undefined);
  }

  #again(path: string, failures: number): void {
    const { clock, logger, remove } = this.#deps;
    if (this.#isStopped) return;
    const cancel = clock.after(backOff(AGAIN, failures), () => {
      void remove(path).then(
        () => {
          this.#left.delete(path);
          logger.info({ directory: path }, 'working directory removed after all');
        },
        () => this.#again(path, failures + 1),
      );
    });
    this.#left.set(path, cancel);
  }
}

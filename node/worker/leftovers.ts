/**
 * The working directories of runs that are over. What can't be removed at once is moved out of the way, tried again,
 * less and less often, and at the next start of the node, and told meanwhile.
 */
import { lstat, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { backOff } from '../back-off.ts';
import { isFull } from '../disk/space.ts';
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
/** Below a directory that only the daemon may enter: the user of the run may soon be another's. */
const TREE = 'tree';

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

  /** Removes a working directory, or what was moved aside, and the record beside it. Never rejects. */
  async remove(directory: string): Promise<void> {
    const isAside = basename(directory).startsWith(PREFIX);
    const [tree] = await Promise.allSettled([
      isAside ? this.#removeAside(directory) : this.#deps.remove(directory),
      rm(`${directory}.pid`, { force: true }),
    ]);
    if (tree.status === 'fulfilled') return;
    const path = isAside ? directory : await moveAside(directory);
    this.#deps.logger.warn(
      { err: tree.reason, directory: path ?? directory },
      'working directory could not be removed',
    );
    if (path === null) this.#moveAgain(directory, await identify(directory), 0);
    else this.#again(path, 0);
  }

  stop(): void {
    this.#isStopped = true;
    for (const cancel of this.#left.values()) cancel();
  }

  async #removeAside(path: string): Promise<void> {
    await this.#deps.remove(join(path, TREE));
    await rmdir(path);
  }

  /** What could not even be moved, as on a full disk. Another attempt may have its name by then. */
  #moveAgain(directory: string, identity: string | null, failures: number): void {
    if (this.#isStopped) return;
    const again = async (): Promise<void> => {
      if (identity !== null && (await identify(directory)) === identity) {
        const path = await moveAside(directory);
        if (path === null) return this.#moveAgain(directory, identity, failures + 1);
        this.#again(path, 0);
      }
      this.#left.delete(directory);
    };
    this.#left.set(
      directory,
      this.#deps.clock.after(backOff(AGAIN, failures), () => void again()),
    );
  }

  #again(path: string, failures: number): void {
    const { clock, logger } = this.#deps;
    if (this.#isStopped) return;
    const cancel = clock.after(backOff(AGAIN, failures), () => {
      void this.#removeAside(path).then(
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

/** Another attempt of the run may need the name. Null when it could not be moved. */
async function moveAside(directory: string): Promise<string | null> {
  for (let number = 0; number < 100; number += 1) {
    const aside = join(dirname(directory), `${PREFIX}${basename(directory)}-${number}`);
    try {
      await mkdir(aside, { mode: 0o700 });
      await rename(directory, join(aside, TREE));
      return aside;
    } catch (error) {
      if (isFull(error)) return null;
      await rmdir(aside).catch(() => undefined);
    }
  }
  return null;
}

/** Tells a directory from a later one of its name; null when there is none. */
async function identify(path: string): Promise<string | null> {
  const found = await lstat(path, { bigint: true }).catch(() => null);
  return found && `${found.dev} ${found.ino} ${found.birthtimeNs}`;
}

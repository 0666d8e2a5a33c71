/**
 * Which user ids runs have on this machine, over all of its daemons and their crashes: a symbolic link for each, named
 * by the id, that tells whose it is and where it works. A link is made at once and whole, or not at all. It is removed
 * by its daemon when nothing of the run is left; or, once that daemon is dead, by the next that has swept in its place,
 * one at a time.
 */
import { readdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryFlock } from '../../flock.ts';
import { orNull } from '../../or-null.ts';
import { readBootId, readProcess } from '../../procfs.ts';

/** Root's alone; kept over a restart of the machine, like the working directories that the links tell of. */
export const CLAIMS_DIRECTORY = '/var/lib/fsched/run-uids';

/** What a dead daemon left under a user id. */
export interface Orphan {
  readonly uid: number;
  /** The working directory of its run. */
  readonly directory: string;
}

export class UidClaims {
  readonly #directory: string;
  readonly #searchPath: string;
  readonly #self = { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? 0 };
  readonly #bootId = readBootId();

  constructor(options: { readonly directory: string; readonly searchPath: string }) {
    this.#directory = options.directory;
    this.#searchPath = options.searchPath;
  }

  /** False when a run of another daemon has it, or has left something under it. Throws when the disk refuses. */
  claim({ uid, directory }: Orphan): boolean {
    const { pid, startTicks } = this.#self;
    try {
      symlinkSync(`${pid}:${startTicks}:${this.#bootId}:${directory}`, this.#pathOf(uid));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  withdraw(uid: number): void {
    unlinkSync(this.#pathOf(uid));
  }

  /**
   * Withdraws the claims of daemons that are dead and of whom, as `sweep` says, nothing is left. Resolves to the others.
   * @throws FlockError when daemons can't take turns at it here, or one takes too long
   */
  async recover(
    sweep: (orphans: readonly Orphan[]) => Promise<readonly Orphan[]>,
  ): Promise<readonly Orphan[]> {
    if (this.#orphans().length === 0) return [];
    await using lock = new DirectoryFlock({ directory: this.#directory, searchPath: this.#searchPath });
    await lock.acquire();
    // Looked up again: another may have been at it, and somebody may have claimed the same id since.
    const orphans = this.#orphans();
    const swept = new Set(await sweep(orphans));
    for (const { uid } of swept) this.withdraw(uid);
    await lock.release();
    return orphans.filter((orphan) => !swept.has(orphan));
  }

  #orphans(): Orphan[] {
    // Before the first claim there is no directory.
    return (orNull(() => readdirSync(this.#directory)) ?? []).flatMap((name) => {
      const [, pid = '', startTicks = '', bootId = '', directory = ''] =
        /^(\d+):(\d+):([\w-]*):(\/.*)$/s.exec(
          orNull(() => readlinkSync(join(this.#directory, name))) ?? '',
        ) ?? [];
      const uid = Number(name);
      if (!Number.isInteger(uid) || uid <= 0 || directory === '') return [];
      const lives = bootId === this.#bootId && readProcess(Number(pid))?.startTicks === Number(startTicks);
      return lives ? [] : [{ uid, directory }];
    });
  }

  #pathOf(uid: number): string {
    return join(this.#directory, String(uid));
  }
}

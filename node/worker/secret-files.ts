/**
 * Secrets of runs, as files that only their program can read: each run has a directory that is the daemon's, on a file
 * system in memory where there is one, and never inside of what the program may write.
 */
import { chmod, chown, lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '../../protocols/schema/secret.ts';
import type { Owner } from './work-directory.ts';

const IN_MEMORY = '/dev/shm';

export interface SecretFilesOptions {
  /** Names this node among others of the machine. */
  readonly tag: string;
  /** Where memory can't be had: the first of these that there is. */
  readonly fallbacks: readonly string[];
}

export class SecretFiles {
  readonly #roots: readonly string[];
  /** Of the directories of runs; null until one is needed. */
  #root: Promise<string> | null = null;

  constructor({ tag, fallbacks }: SecretFilesOptions) {
    this.#roots = [join(IN_MEMORY, `fsched-${tag}`), ...fallbacks.map((place) => join(place, '.secrets'))];
  }

  /** Removes what an earlier start of the daemon left; also for the end. */
  async clear(): Promise<void> {
    for (const root of this.#roots) if (await isOurs(root)) await rm(root, { recursive: true, force: true });
    this.#root = null;
  }

  /**
   * The directory with the files, in place of what has its name.
   * @param name of the run's directory, and no path
   */
  async place(name: string, secrets: readonly Secret[], owner: Owner): Promise<string> {
    this.#root ??= this.#makeRoot();
    const directory = join(await this.#root, name);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { mode: 0o700 });
    for (const secret of secrets) {
      const path = join(directory, secret.name);
      await writeFile(path, secret.value, { mode: 0o400, flag: 'wx' });
      if (owner !== null) await chown(path, owner.uid, owner.gid);
    }
    // Last: it stays the daemon's, so that the program can neither add to it nor put anything in its place.
    if (owner !== null) {
      await chown(directory, -1, owner.gid);
      await chmod(directory, 0o750);
    }
    return directory;
  }

  /** Those of a run that is over, if it had any. */
  async remove(name: string): Promise<void> {
    if (this.#root !== null) await rm(join(await this.#root, name), { recursive: true, force: true });
  }

  async #makeRoot(): Promise<string> {
    let fault: unknown;
    for (const root of this.#roots) {
      try {
        await mkdir(root).catch(async (error: unknown) => {
          if (!(await isOurs(root))) throw error;
        });
        // Others may pass through, and only that.
        await chmod(root, 0o711);
        return root;
      } catch (error) {
        fault = error;
      }
    }
    this.#root = null;
    throw fault;
  }
}

/** Everybody may make directories in memory, also one that has our name. */
async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.geteuid?.();
}

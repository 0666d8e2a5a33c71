/** The resctrl filesystem of this machine's kernel. */
import { close, constants, open, write } from 'node:fs';
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DirectoryFlock } from '../../flock.ts';
import { ResctrlLock } from './lock.ts';
import { ERRNOS, type Errno, ResctrlError, type ResctrlFs } from './port.ts';

export interface RealResctrlOptions {
  /** Where it is mounted. @default /sys/fs/resctrl */
  readonly root?: string;
  /** How long to wait for other programs that hold the lock. @default 10000 */
  readonly lockTimeoutMs?: number;
  /** Where the tools that lock are looked for; as in `FlockOptions`. */
  readonly searchPath?: string;
}

export const DEFAULT_RESCTRL_ROOT = '/sys/fs/resctrl';

const openFile = promisify(open);
const closeFile = promisify(close);

export class RealResctrl implements ResctrlFs {
  readonly root: string;
  readonly #flock: DirectoryFlock;
  readonly #lock: ResctrlLock;

  constructor(options: RealResctrlOptions = {}) {
    this.root = options.root ?? DEFAULT_RESCTRL_ROOT;
    this.#flock = new DirectoryFlock({
      directory: this.root,
      ...(options.lockTimeoutMs !== undefined && { timeoutMs: options.lockTimeoutMs }),
      ...(options.searchPath !== undefined && { searchPath: options.searchPath }),
    });
    this.#lock = new ResctrlLock(this.#flock);
  }

  read(path: string): Promise<string> {
    return this.#attempt(`read ${path}`, path, (file) => readFile(file, 'utf8'));
  }

  write(path: string, text: string): Promise<void> {
    return this.#attempt(`write ${path} <- ${JSON.stringify(text)}`, path, async (file) => {
      // Neither created nor truncated: what isn't there is an error, as a shell's redirection would hide.
      const descriptor = await openFile(file, constants.O_WRONLY);
      try {
        await writeOnce(descriptor, Buffer.from(text));
      } finally {
        await closeFile(descriptor);
      }
    });
  }

  mkdir(path: string): Promise<void> {
    return this.#attempt(`mkdir ${path}`, path, (directory) => mkdir(directory));
  }

  rmdir(path: string): Promise<void> {
    return this.#attempt(`rmdir ${path}`, path, (directory) => rmdir(directory));
  }

  async list(path: string): Promise<string[]> {
    return (await this.#attempt(`list ${path}`, path, (directory) => readdir(directory))).sort();
  }

  /** @throws FlockError when the lock can't be had and there is no `refused`, or when it was lost while `work` ran */
  locked<T>(work: () => Promise<T>, refused?: (cause: unknown) => T): Promise<T> {
    return this.#lock.hold(work, refused);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flock[Symbol.asyncDispose]();
  }

  async #attempt<T>(operation: string, path: string, work: (absolute: string) => Promise<T>): Promise<T> {
    // A name that leads out of the mount would make other files of this machine writable, as root.
    if (path.split('/').includes('..') || path.includes('\0')) {
      throw new ResctrlError('EINVAL', operation, null);
    }
    try {
      return await work(join(this.root, path));
    } catch (cause) {
      const code = codeOf(cause);
      throw new ResctrlError(code, operation, await this.#lastStatus(), cause);
    }
  }

  /** Right after the refusal; null when it says nothing. Another program may have changed it in between. */
  async #lastStatus(): Promise<string | null> {
    const status = await readFile(join(this.root, 'info/last_cmd_status'), 'utf8').catch(() => 'ok');
    return status.trim() === 'ok' ? null : status.trim();
  }
}

/** The kernel takes a command only whole, so one call it is, also for no bytes; `FileHandle.write` would skip that. */
function writeOnce(descriptor: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) => {
      if (error !== null) reject(error);
      else if (written !== bytes.length) reject(new Error(`${written} of ${bytes.length} bytes were taken`));
      else resolve();
    });
  });
}

function codeOf(cause: unknown): Errno {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  return ERRNOS.find((known) => known === code) ?? 'EIO';
}

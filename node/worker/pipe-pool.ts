/**
 * Pipes for the output of programs. What Node makes for `stdio: 'pipe'` is a pair of sockets, and a program that opens
 * `/dev/stdout` or `/dev/stderr` fails on a socket (ENXIO); on a pipe it works, as it does in a shell. Node can't make
 * pipes, so named ones are made by `mkfifo`, many at a time and ahead of need, and unlinked as soon as they are open.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Names made by one call of `mkfifo`: enough for 16 programs. */
const BATCH = 32;

/** The reading end, and the descriptor of the writing end, which the caller hands on and then closes. */
export interface OpenPipe {
  readonly reader: Socket;
  /** Open as long as the reader is. */
  readonly readFd: number;
  readonly writeFd: number;
}

export class PipePool {
  readonly #directory: string;
  #names: string[] = [];
  #made = 0;
  #refill: Promise<void> | null = null;

  /** `directory` is emptied by `start()` and removed by `stop()`. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  async start(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    await this.#makeMore();
  }

  async stop(): Promise<void> {
    await this.#refill;
    this.#names = [];
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Null where this machine can't make named pipes, or its disk is full. Throws when descriptors run out. */
  async take(): Promise<OpenPipe | null> {
    if (this.#names.length === 0) await this.#makeMore();
    const name = this.#names.pop();
    // In the background, so that the next program needn't wait.
    if (this.#names.length === BATCH / 4) void this.#makeMore();
    return name === undefined ? null : openPipe(name);
  }

  #makeMore(): Promise<void> {
    this.#refill ??= this.#make().finally(() => {
      this.#refill = null;
    });
    return this.#refill;
  }

  async #make(): Promise<void> {
    const names = Array.from({ length: BATCH }, () => join(this.#directory, `${this.#made++}`));
    try {
      // Each time: at the start there may have been no room for it.
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await run('mkfifo', ['-m', '600', ...names]);
      this.#names.unshift(...names);
    } catch {
      // Programs get what Node makes, and the next one is tried for anew.
    }
  }
}

function openPipe(name: string): OpenPipe {
  // The reader first and without blocking: a writer would wait for a reader, and block this thread.
  const readFd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const writeFd = openSync(name, constants.O_WRONLY);
    unlinkSync(name);
    return { reader: new Socket({ fd: readFd, readable: true, writable: false }), readFd, writeFd };
  } catch (error) {
    closeSync(readFd);
    throw error;
  }
}

/**
 * Reads small files that people name: tokens, keys, certificates, configurations. Any kind of file will do, `<(command)` of a shell
 * among them, but none may hold up the program or fill its memory: a FIFO that nobody writes to is given up, and what
 * has no end is left.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A chain of certificates is the largest of them. */
const MAX_BYTES = 256 * 1024;
/** How long somebody who writes to a FIFO may take: a command that asks a vault, say. */
const PATIENCE_MS = 10_000;
const LOOK_AGAIN_MS = 20;

export interface SmallFileOptions {
  /** @default 10000 */
  readonly patienceMs?: number;
  /** @default 262144 */
  readonly maxBytes?: number;
}

/** @throws the system's error, or an Error that says what is wrong with the file */
export async function readSmallBytes(path: string, options: SmallFileOptions = {}): Promise<Buffer> {
  using reading = new Reading(path, options);
  while (!reading.step()) await delay(LOOK_AGAIN_MS);
  return reading.bytes;
}

/** The same as text. */
export async function readSmallFile(path: string, options: SmallFileOptions = {}): Promise<string> {
  return (await readSmallBytes(path, options)).toString();
}

/** The same for a program that has nothing else to do meanwhile. */
export function readSmallFileSync(path: string, options: SmallFileOptions = {}): string {
  using reading = new Reading(path, options);
  const never = new Int32Array(new SharedArrayBuffer(4));
  while (!reading.step()) Atomics.wait(never, 0, 0, LOOK_AGAIN_MS);
  return reading.bytes.toString();
}

class Reading implements Disposable {
  readonly #path: string;
  readonly #file: number;
  readonly #deadlineMs: number;
  readonly #maxBytes: number;
  readonly #pieces: Buffer[] = [];
  #size = 0;

  constructor(path: string, { patienceMs = PATIENCE_MS, maxBytes = MAX_BYTES }: SmallFileOptions) {
    this.#maxBytes = maxBytes;
    this.#path = path;
    // Else opening a FIFO would wait for a writer, in a thread that nothing can call back.
    this.#file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#deadlineMs = performance.now() + patienceMs;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  /** Takes what there is; whether that is all. */
  step(): boolean {
    for (;;) {
      const piece = Buffer.alloc(16 * 1024);
      const read = this.#read(piece);
      // Nobody has opened the other end of a FIFO yet, or there is nothing in the file: told apart by waiting.
      if (read === 0 && this.#size > 0) return true;
      if (read === null || read === 0) return this.#isLate(read);
      this.#size += read;
      if (this.#size > this.#maxBytes)
        throw new Error(`${this.#path} has more than ${this.#maxBytes} bytes: it is the wrong file`);
      this.#pieces.push(piece.subarray(0, read));
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  /** Bytes read; null: there may be more later. */
  #read(piece: Buffer): number | null {
    try {
      return readSync(this.#file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
      throw error;
    }
  }

  #isLate(read: number | null): boolean {
    if (read === 0 && !fstatSync(this.#file).isFIFO()) return true;
    if (performance.now() < this.#deadlineMs) return false;
    throw new Error(`nobody wrote anything to ${this.#path}, or an end of it, in time`);
  }
}

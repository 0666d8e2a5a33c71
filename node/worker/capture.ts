import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { constants as osConstants, setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import type { CapturedOutput } from '../../protocols/schema/attempt.ts';
import { orNull } from '../or-null.ts';
import type { Clock } from '../ports.ts';
import { USUAL_PATH } from '../search-path.ts';

const FIRST_BYTES = 4096;
/** With every writer dead a pipe ends at once; only a process that escaped could hold it longer. */
const DRAIN_MS = 1000;

/**
 * Reads a stream to its end, keeps its first `limitBytes` and forgets the rest: by `cat`, where it is a pipe, since
 * programs write far more a second than the event loop may spend its time on, and must not be slowed by us.
 */
export class Capture {
  readonly #stream: Readable | null;
  readonly #limitBytes: number;
  readonly #closed: Promise<void>;
  #bytes: Uint8Array;
  #length = 0;
  #truncated = false;
  readonly #pipeFd: number | null;
  /** Who reads what is forgotten; null: we do, or nobody yet. */
  #drainer: ChildProcess | null = null;

  /** @param pipeFd of the pipe that the stream reads. @default null: it is none */
  constructor(stream: Readable | null, limitBytes: number, pipeFd: number | null = null) {
    this.#stream = stream;
    this.#limitBytes = limitBytes;
    this.#pipeFd = pipeFd;
    this.#bytes = new Uint8Array(Math.min(FIRST_BYTES, limitBytes));
    this.#closed = new Promise((resolve) => {
      if (stream === null) return resolve();
      stream.once('close', () => {
        this.#drainer?.kill('SIGKILL');
        resolve();
      });
      // A broken pipe ends the stream like its end does; 'close' follows.
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => this.#append(chunk));
    });
  }

  /** A copy of what is kept from byte `offset` on. */
  from(offset: number): Uint8Array {
    return this.#bytes.slice(Math.min(Math.max(offset, 0), this.#length), this.#length);
  }

  /** Resolves with what is kept once the stream is over, or soon after its writers should be dead. */
  async drain(clock: Clock): Promise<CapturedOutput> {
    const giveUp = clock.after(DRAIN_MS, () => this.#stream?.destroy());
    await this.#closed;
    giveUp();
    return { bytes: this.from(0), truncated: this.#truncated };
  }

  #append(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#limitBytes - this.#length);
    if (kept.length < chunk.length && !this.#truncated) {
      this.#truncated = true;
      this.#handOver();
    }
    const length = this.#length + kept.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#limitBytes, Math.max(length, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(kept, this.#length);
    this.#length = length;
  }

  /** Once: where it fails or ends before the pipe does, we read on. */
  #handOver(): void {
    const [stream, pipeFd] = [this.#stream, this.#pipeFd];
    if (stream === null || pipeFd === null) return;
    const drainer = orNull(() => drain(pipeFd));
    if (drainer === null) return;
    this.#drainer = drainer;
    stream.pause();
    const resume = (): void => {
      this.#drainer = null;
      stream.resume();
    };
    drainer.once('error', resume);
    drainer.once('exit', resume);
  }
}

/** Throws when descriptors or processes run out. */
function drain(pipeFd: number): ChildProcess {
  // Opened anew, so that it may block there and still not here.
  const fd = openSync(`/proc/self/fd/${pipeFd}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const child = spawn('cat', { cwd: '/', env: { PATH: USUAL_PATH }, stdio: [fd, 'ignore', 'ignore'] });
    const { pid } = child;
    if (pid !== undefined) orNull(() => setPriority(pid, osConstants.priority.PRIORITY_BELOW_NORMAL));
    return child;
  } finally {
    closeSync(fd);
  }
}

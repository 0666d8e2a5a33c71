import type { Readable } from 'node:stream';
import type { CapturedOutput } from '../../protocols/schema/attempt.ts';
import type { Clock } from '../ports.ts';

const FIRST_BYTES = 4096;
/** With every writer dead a pipe ends at once; only a process that escaped could hold it longer. */
const DRAIN_MS = 1000;

/** Reads a stream to its end, keeps its first `limitBytes` and forgets the rest. */
export class Capture {
  readonly #stream: Readable | null;
  readonly #limitBytes: number;
  readonly #closed: Promise<void>;
  #bytes: Uint8Array;
  #length = 0;
  #truncated = false;

  constructor(stream: Readable | null, limitBytes: number) {
    this.#stream = stream;
    this.#limitBytes = limitBytes;
    this.#bytes = new Uint8Array(Math.min(FIRST_BYTES, limitBytes));
    this.#closed = new Promise((resolve) => {
      if (stream === null) return resolve();
      stream.once('close', resolve);
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
    if (kept.length < chunk.length) this.#truncated = true;
    const length = this.#length + kept.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#limitBytes, Math.max(length, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(kept, this.#length);
    this.#length = length;
  }
}

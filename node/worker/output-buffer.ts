import type { CapturedOutput } from './types.ts';

const FIRST_BYTES = 4096;

/** Keeps the first `limitBytes` of a stream and forgets the rest. */
export class OutputBuffer {
  readonly #limitBytes: number;
  #bytes: Uint8Array;
  #length = 0;
  #truncated = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    this.#bytes = new Uint8Array(Math.min(FIRST_BYTES, limitBytes));
  }

  append(chunk: Uint8Array): void {
    const kept = chunk.subarray(0, this.#limitBytes - this.#length);
    if (kept.length < chunk.length) this.#truncated = true;
    if (kept.length === 0) return;
    const length = this.#length + kept.length;
    if (length > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#limitBytes, Math.max(length, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(kept, this.#length);
    this.#length = length;
  }

  /** A copy of what is kept from byte `offset` on. */
  from(offset: number): Uint8Array {
    return this.#bytes.slice(Math.min(Math.max(offset, 0), this.#length), this.#length);
  }

  captured(): CapturedOutput {
    return { bytes: this.from(0), truncated: this.#truncated };
  }
}

/** Bytes one after the other: whole numbers as unsigned LEB128, blocks behind their length. */

/** Thrown when bytes are not what they should be; whoever decodes turns it into a value. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError';
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
/** Eight bytes hold 2^56, and so every number that a double can count. */
const MOST_BYTES = 8;

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** @param value from 0 to 2^53 - 1 */
  whole(value: number): void {
    this.#reserve(MOST_BYTES);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  block(bytes: Uint8Array): void {
    this.whole(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  text(text: string): void {
    this.block(encoder.encode(text));
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** Every method throws MalformedError where there is too little, or what is there can't be. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new MalformedError('it ends in the middle');
    this.#at += 1;
    return byte;
  }

  whole(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < MOST_BYTES; count += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new MalformedError('a number is out of range');
  }

  /** The number of things that follow, each of at least one byte: what can't be there is not waited for. */
  count(most: number): number {
    const count = this.whole();
    if (count > Math.min(most, this.#bytes.length - this.#at))
      throw new MalformedError(`${count} are too many`);
    return count;
  }

  /** A copy: the bytes are kept, and the frame that they came in shall not be kept alive by them. */
  block(): Uint8Array {
    const length = this.count(Number.MAX_SAFE_INTEGER);
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  text(): string {
    try {
      return decoder.decode(this.block());
    } catch (cause) {
      throw cause instanceof MalformedError ? cause : new MalformedError('a text is no UTF-8', { cause });
    }
  }

  /** Call at the end: nothing may be left over. */
  end(): void {
    if (this.#at < this.#bytes.length) throw new MalformedError('there is more than there should be');
  }
}

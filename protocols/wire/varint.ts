/** Unsigned LEB128, the length prefix of libp2p's framing (multiformats/unsigned-varint). */

/** Five bytes hold 2^35: longer than any frame that a protocol here allows. */
const MAX_BYTES = 5;

export function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** Takes the bytes of a varint one at a time. */
export class VarintDecoder {
  #value = 0;
  #scale = 1;
  #count = 0;

  /** The value once `byte` ends it, null while more is to come, 'malformed' when it is too long. */
  push(byte: number): number | null | 'malformed' {
    this.#count += 1;
    this.#value += (byte & 0x7f) * this.#scale;
    this.#scale *= 0x80;
    if ((byte & 0x80) === 0) return this.#value;
    return this.#count === MAX_BYTES ? 'malformed' : null;
  }
}

/**
 * Reads a libp2p stream by pulling, with back-pressure: when nobody takes what has come, the stream is
 * paused, its window fills and the sender stops. (The stream's own async iterator buffers without limit.)
 *
 * A stream that ends because its connection died looks closed without an error; only the remote's own
 * close of its writing end counts as an end here, everything else is a WireError.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import type { ByteBudget } from './budget.ts';
import { asWireError, WireError } from './error.ts';

/** Bytes held before the stream is paused. */
const HIGH_WATER_BYTES = 256 * 1024;
/** They hold 2^35: longer than any frame that a protocol here allows. */
const MAX_LENGTH_BYTES = 5;

export class StreamReader {
  readonly #stream: Stream;
  /** Null: nothing is counted, or no longer. */
  #budget: ByteBudget | null;
  #chunks: Uint8Array[] = [];
  #held = 0;
  /** Bytes that the current read waits for: never pause below it. */
  #wanted = 0;
  #resuming = false;
  #remoteDone: boolean;
  #over = false;
  #error: WireError | null = null;
  #wake: (() => void) | null = null;
  /** Called with the number of bytes whenever some arrive. */
  onBytes: ((count: number) => void) | null = null;

  /** `budget`: of the peer; a stream that would hold more than is left of it is thrown away. */
  constructor(stream: Stream, budget: ByteBudget | null = null) {
    this.#stream = stream;
    this.#budget = budget;
    this.#remoteDone = stream.remoteWriteStatus === 'closed' && stream.status !== 'closed';
    stream.addEventListener('remoteCloseWrite', () => {
      this.#remoteDone = true;
      this.#checkEnd();
    });
    stream.addEventListener('end', () => this.#checkEnd());
    stream.addEventListener('close', (event) => this.#onClose(event));
    stream.addEventListener('message', (event) => this.#onMessage(event));
    if (stream.status === 'aborted' || stream.status === 'reset') {
      this.#finish(new WireError('RESET', 'the stream was reset'));
    } else this.#checkEnd();
  }

  /** The next bytes, as they came; null at the end. */
  async chunk(): Promise<Uint8Array | null> {
    if (!(await this.#fill(1))) return null;
    const chunk = this.#chunks.shift() ?? new Uint8Array(0);
    this.#consumed(chunk.length);
    return chunk;
  }

  /** Exactly `count` bytes. @throws WireError TRUNCATED at an earlier end */
  async exactly(count: number): Promise<Uint8Array> {
    if (!(await this.#fill(count))) throw new WireError('TRUNCATED', 'the stream ended in the middle');
    return this.#take(count);
  }

  /** `size` bytes in pieces as they come. @throws WireError TRUNCATED at an earlier end */
  async *pieces(size: number): AsyncGenerator<Uint8Array> {
    let rest = size;
    while (rest > 0) {
      if (!(await this.#fill(1))) throw new WireError('TRUNCATED', 'the stream ended in the middle');
      const piece = this.#take(Math.min(rest, this.#chunks[0]?.length ?? 0));
      rest -= piece.length;
      yield piece;
    }
  }

  /** The next frame; null at an end between frames. @throws WireError TOO_LARGE, MALFORMED, TRUNCATED */
  async frame(maxBytes: number): Promise<Uint8Array | null> {
    if (!(await this.#fill(1))) return null;
    const length = await this.#length();
    if (length > maxBytes) {
      throw new WireError('TOO_LARGE', `a frame of ${length} bytes is over the limit of ${maxBytes}`);
    }
    return this.exactly(length);
  }

  /** Unsigned LEB128, the length prefix of libp2p's framing (multiformats/unsigned-varint). */
  async #length(): Promise<number> {
    let length = 0;
    for (let count = 0; count < MAX_LENGTH_BYTES; count++) {
      const [byte = 0] = await this.exactly(1);
      length += (byte & 0x7f) * 0x80 ** count;
      if (byte < 0x80) return length;
    }
    throw new WireError('MALFORMED', 'the length of a frame is malformed');
  }

  /** As `frame`, for a frame that must be there. */
  async expectFrame(maxBytes: number): Promise<Uint8Array> {
    const frame = await this.frame(maxBytes);
    if (frame === null) throw new WireError('TRUNCATED', 'the peer ended the stream without an answer');
    return frame;
  }

  async #fill(count: number): Promise<boolean> {
    this.#wanted = count;
    while (this.#held < count) {
      if (this.#error !== null) throw this.#error;
      if (this.#over) return false;
      this.#resume();
      // Resuming may have delivered data, or the end, at once.
      if (this.#held >= count || this.#over || this.#error !== null) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }

  #take(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) {
      if (first.length === count) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(count);
      this.#consumed(count);
      return first.subarray(0, count);
    }
    const taken = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, count - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#consumed(count);
    return taken;
  }

  #consumed(count: number): void {
    this.#held -= count;
    this.#budget?.give(count);
    this.#wanted = 0;
    if (this.#held < HIGH_WATER_BYTES / 2) this.#resume();
  }

  #onMessage(event: StreamMessageEvent): void {
    const { data } = event;
    if (this.#error !== null) return;
    if (this.#budget?.take(data.byteLength) === false) {
      const error = new WireError(
        'TOO_LARGE',
        'the peer has too many bytes waiting here in unfinished frames',
      );
      this.#finish(error);
      this.#stream.abort(error);
      return;
    }
    if (data instanceof Uint8Array) this.#chunks.push(data);
    else for (const chunk of data) if (chunk.length > 0) this.#chunks.push(chunk);
    this.#held += data.byteLength;
    this.onBytes?.(data.byteLength);
    this.#pauseWhenFull();
    if (this.#held >= this.#wanted) this.#notify();
  }

  /**
   * Not from within `resume()`: libp2p delivers what it held back *before* it opens the window again, so a pause
   * in between is undone for the sender but not for us, and the stream is reset when 4 MiB have piled up.
   */
  #pauseWhenFull(): void {
    if (this.#resuming || this.#stream.readStatus !== 'readable') return;
    if (this.#held >= Math.max(HIGH_WATER_BYTES, this.#wanted)) this.#stream.pause();
  }

  #resume(): void {
    if (this.#resuming || this.#stream.readStatus !== 'paused') return;
    this.#resuming = true;
    try {
      this.#stream.resume();
    } catch {
      // The connection died meanwhile: the 'close' event tells, after what was buffered.
    } finally {
      this.#resuming = false;
    }
    this.#pauseWhenFull();
    this.#checkEnd();
  }

  #onClose(event: StreamCloseEvent): void {
    this.#budget?.give(this.#held);
    this.#budget = null;
    if (event.error !== undefined) this.#finish(asWireError(event.error));
    else this.#checkEnd();
  }

  #checkEnd(): void {
    if (this.#stream.readBufferLength > 0) return;
    if (this.#remoteDone) this.#finish(null);
    else if (this.#stream.status === 'closed') {
      this.#finish(new WireError('CLOSED', 'the connection was lost'));
    }
  }

  #finish(error: WireError | null): void {
    if (this.#over || this.#error !== null) return;
    if (error === null) this.#over = true;
    else this.#error = error;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

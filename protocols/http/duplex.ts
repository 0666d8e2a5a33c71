import { Duplex } from 'node:stream';
import type { Stream } from '@libp2p/interface';
import { asWireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting, writable, write } from '../wire/writer.ts';

/**
 * A libp2p stream as a node Duplex: back-pressure both ways, each direction ends by itself, destroying one
 * end resets the other.
 */
export class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  readonly #reader: StreamReader;
  #finished = false;
  #ended = false;

  constructor(stream: Stream) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#reader = new StreamReader(stream);
    // The connection may die before whoever gets this has had its turn to listen: that must not end the
    // process. Every listener is still told, and `errored` keeps it.
    this.on('error', () => {});
    stream.addEventListener('close', (event) => {
      if (event.error !== undefined) this.destroy(asWireError(event.error));
    });
  }

  override _read(): void {
    this.#reader.chunk().then(
      (chunk) => {
        if (chunk === null) this.#ended = true;
        this.push(chunk);
      },
      (cause) => this.destroy(asWireError(cause)),
    );
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // Waiting after the write (not only before it) is what lets `write()` return false in time.
    write(this.#stream, chunk)
      .then(() => writable(this.#stream))
      .then(() => done(), done);
  }

  override _final(done: (error?: Error) => void): void {
    finishWriting(this.#stream).then(() => {
      this.#finished = true;
      done();
    }, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#finished || !this.#ended || error !== null) {
      this.#stream.abort(error ?? new Error('the stream was destroyed'));
    }
    done(error);
  }
}

import type { Stream } from '@libp2p/interface';
import { frame, isWritable } from '../wire/writer.ts';
import { FrameKind, MAX_PAYLOAD_BYTES, MAX_QUEUED_BYTES } from './index.ts';

/**
 * The sending end of a link over one stream. Frames that are handed over before the stream is there, or
 * while it is full, wait in a bounded queue.
 */
export class LinkSender {
  readonly #onBroken: () => void;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #stream: Stream | null = null;
  #broken = false;

  /** `onBroken` is called once, when the stream that was attached ends, however it ends. */
  constructor(dependencies: { readonly onBroken: () => void }) {
    this.#onBroken = dependencies.onBroken;
  }

  get attached(): boolean {
    return this.#stream !== null && !this.#broken;
  }

  attach(stream: Stream): void {
    this.#stream = stream;
    stream.addEventListener('close', () => this.#break());
    // Never from inside the event: what is sent while 'idle' is being told of stays in the stream's buffer.
    const flushSoon = () => queueMicrotask(() => this.#flush());
    stream.addEventListener('drain', flushSoon);
    stream.addEventListener('idle', flushSoon);
    if (stream.status === 'open') this.#flush();
    else this.#break();
  }

  /** False: dropped, because the queue is full, the frame too long or the stream broken. */
  send(kind: FrameKind, payload: Uint8Array): boolean {
    if (this.#broken || payload.length > MAX_PAYLOAD_BYTES) return false;
    const waiting = this.#queuedBytes + (this.#stream?.writeBufferLength ?? 0);
    // Pings are few and tiny, and a peer must not look dead because its queue is full.
    if (kind === FrameKind.RAFT && waiting > 0 && waiting + payload.length > MAX_QUEUED_BYTES) return false;
    const bytes = frame(Uint8Array.of(kind), payload);
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#flush();
    return true;
  }

  close(): void {
    this.#stream?.abort(new Error('the link is closed'));
    this.#break();
  }

  #flush(): void {
    const stream = this.#stream;
    if (stream === null || this.#broken) return;
    try {
      while (this.#queue.length > 0 && isWritable(stream)) {
        const bytes = this.#queue.shift();
        if (bytes === undefined) break;
        this.#queuedBytes -= bytes.length;
        stream.send(bytes);
      }
    } catch {
      this.#break();
    }
  }

  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    if (this.#stream !== null) this.#onBroken();
  }
}

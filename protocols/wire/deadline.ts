import type { Stream } from '@libp2p/interface';
import { asWireError, WireError } from './error.ts';

/** Calls `task` once after `delayMs`; returns how to call it off. A clock, as far as protocols need one. */
export interface Timers {
  after(delayMs: number, task: () => void): () => void;
}

/**
 * A signal for one talk, disposed of when that is over. It aborts with a WireError: TIMEOUT after `limitMs`, ABORTED as
 * soon as `outer` has aborted.
 */
export function deadline(
  limitMs: number,
  timers: Timers,
  outer?: AbortSignal,
): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const onAbort = () => controller.abort(new WireError('ABORTED', 'the caller gave up'));
  const cancel = timers.after(limitMs, () =>
    controller.abort(new WireError('TIMEOUT', `no answer within ${Math.round(limitMs)} ms`)),
  );
  if (outer?.aborted) onAbort();
  outer?.addEventListener('abort', onAbort);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      cancel();
      outer?.removeEventListener('abort', onAbort);
    },
  };
}

/**
 * Runs `talk` over `stream` and throws the stream away when it fails or takes longer than `limitMs`.
 * @throws WireError (TIMEOUT when it took too long, ABORTED when `outer` has aborted), or what `talk` threw
 */
export async function within<T>(
  stream: Stream,
  limitMs: number,
  timers: Timers,
  talk: () => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  using limit = deadline(limitMs, timers, outer);
  const { signal } = limit;
  try {
    signal.throwIfAborted();
    const late = new Promise<never>((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason)),
    );
    return await Promise.race([talk(), late]);
  } catch (cause) {
    stream.abort(asWireError(cause));
    throw cause;
  }
}

/** Throws a stream away when nothing happens on it for `limitMs`. */
export class IdleLimit {
  readonly #stream: Stream;
  readonly #limitMs: number;
  readonly #timers: Timers;
  #cancel: () => void = () => {};
  #touched = false;

  constructor(stream: Stream, limitMs: number, timers: Timers) {
    this.#stream = stream;
    this.#limitMs = limitMs;
    this.#timers = timers;
    this.#arm();
  }

  /** Something happened. Cheap: the timer is not set anew each time. */
  touch(): void {
    this.#touched = true;
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    this.#touched = false;
    this.#cancel = this.#timers.after(this.#limitMs, () => {
      if (this.#touched) this.#arm();
      else this.#stream.abort(new WireError('TIMEOUT', `nothing moved for ${this.#limitMs} ms`));
    });
  }
}

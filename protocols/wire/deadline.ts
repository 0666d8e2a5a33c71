import type { Stream } from '@libp2p/interface';
import { WireError } from './error.ts';

/** Calls `task` once after `delayMs`; returns how to call it off. A clock, as far as protocols need one. */
export interface Timers {
  after(delayMs: number, task: () => void): () => void;
}

/**
 * Runs `talk` over `stream` and throws the stream away when it fails or takes longer than `limitMs`.
 * @throws WireError (TIMEOUT when it took too long, ABORTED when `signal` fired), or what `talk` threw
 */
export async function within<T>(
  stream: Stream,
  limitMs: number,
  timers: Timers,
  talk: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const breakOff = (error: WireError) => {
    stream.abort(error);
    late.reject(error);
  };
  const onAbort = () => breakOff(new WireError('ABORTED', 'the caller gave up'));
  const cancel = timers.after(limitMs, () =>
    breakOff(new WireError('TIMEOUT', `no answer within ${Math.round(limitMs)} ms`)),
  );
  signal?.addEventListener('abort', onAbort);
  try {
    if (signal?.aborted === true) throw new WireError('ABORTED', 'the caller gave up');
    return await Promise.race([talk(), late.promise]);
  } catch (cause) {
    stream.abort(cause instanceof Error ? cause : new Error(String(cause)));
    throw cause;
  } finally {
    cancel();
    signal?.removeEventListener('abort', onAbort);
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

/** One thread of the model, and the calls that wait for it. It is started by the first call. */
import { Worker } from 'node:worker_threads';
import type { ModelCall, ModelReply, ModelRequest, ModelValue } from './messages.ts';

interface Waiting {
  resolve(value: ModelValue): void;
  reject(error: Error): void;
}

/** `FAILED`: the call did. `LOST`: the thread ended; the next call starts another. */
export class ModelThreadError extends Error {
  readonly code: 'FAILED' | 'LOST';

  constructor(code: 'FAILED' | 'LOST', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ModelThreadError';
    this.code = code;
  }
}

export class ThreadCaller {
  readonly #waiting = new Map<number, Waiting>();
  readonly #onIdle: () => void;
  #worker: Worker | null = null;
  #lastId = 0;

  /** @param onIdle called when the last call that waited is answered */
  constructor(onIdle: () => void = () => {}) {
    this.#onIdle = onIdle;
  }

  /** Whether a thread exists right now. */
  get active(): boolean {
    return this.#worker !== null;
  }

  /** Rejects with a `ModelThreadError`. */
  call(call: ModelCall): Promise<ModelValue> {
    this.#worker ??= this.#start();
    const id = ++this.#lastId;
    const request: ModelRequest = { ...call, id };
    this.#worker.postMessage(request);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** What waits is rejected with `reason`. */
  async end(reason: Error): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    for (const waiting of this.#waiting.values()) waiting.reject(reason);
    this.#waiting.clear();
    await worker?.terminate();
  }

  #start(): Worker {
    // Run from source, the thread is TypeScript, which Node runs by itself; bundled, it lies beside the bundle.
    const file = import.meta.url.endsWith('.ts') ? './model-worker.ts' : './model-worker.js';
    const worker = new Worker(new URL(file, import.meta.url), { execArgv: [], name: 'model' });
    worker.unref();
    worker.on('message', (reply: ModelReply) => this.#settle(reply));
    const lost = (cause: unknown): void => {
      if (this.#worker !== worker) return;
      void this.end(new ModelThreadError('LOST', 'the thread of the model ended', { cause }));
    };
    worker.on('error', lost);
    worker.on('exit', lost);
    return worker;
  }

  #settle(reply: ModelReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.value);
    else waiting?.reject(new ModelThreadError('FAILED', reply.message));
    if (this.#waiting.size === 0) this.#onIdle();
  }
}

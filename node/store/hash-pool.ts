/** Hashes files in one worker thread that is started when first needed and stopped when idle. */
import { Worker } from 'node:worker_threads';
import type { Cancel, Clock } from '../ports.ts';

export interface HashRequest {
  readonly id: number;
  readonly path: string;
}
export type HashReply =
  | { readonly id: number; readonly ok: true; readonly sha256: string; readonly size: number }
  | { readonly id: number; readonly ok: false; readonly message: string };

export interface FileHash {
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Bytes that were hashed. */
  readonly size: number;
}

export interface HashPoolOptions {
  /** How long the thread may stand idle. @default 5000 */
  readonly idleMs?: number;
}

export interface HashPoolDependencies {
  readonly clock: Clock;
}

interface Waiting {
  resolve(hash: FileHash): void;
  reject(error: Error): void;
}

/** `FAILED`: the file could not be read or the thread died. `STOPPED`: asked after or during `stop()`. */
export class HashError extends Error {
  readonly code: 'FAILED' | 'STOPPED';

  constructor(code: 'FAILED' | 'STOPPED', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HashError';
    this.code = code;
  }
}

export class HashPool implements AsyncDisposable {
  readonly #idleMs: number;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #cancelIdle: Cancel | null = null;
  #lastId = 0;
  #stopped = false;

  constructor(options: HashPoolOptions, dependencies: HashPoolDependencies) {
    this.#idleMs = options.idleMs ?? 5000;
    this.#clock = dependencies.clock;
  }

  /** Whether a thread exists right now. */
  get active(): boolean {
    return this.#worker !== null;
  }

  /** Rejects with a `HashError`. */
  hashFile(path: string): Promise<FileHash> {
    if (this.#stopped) return Promise.reject(new HashError('STOPPED', 'hashing has been stopped'));
    this.#cancelIdle?.();
    this.#cancelIdle = null;
    this.#worker ??= this.#startWorker();
    const id = ++this.#lastId;
    const request: HashRequest = { id, path };
    this.#worker.postMessage(request);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#stopWorker(new HashError('STOPPED', 'hashing has been stopped'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #startWorker(): Worker {
    // Run from source, the thread is TypeScript, which Node runs by itself; bundled, it lies beside the bundle.
    const file = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js';
    // No loaders of the main thread: the thread would only start later for them.
    const worker = new Worker(new URL(file, import.meta.url), { execArgv: [], env: {}, name: 'hash' });
    worker.unref();
    worker.on('message', (reply: HashReply) => this.#settle(reply));
    const lost = (cause: unknown) => {
      if (this.#worker === worker) {
        void this.#stopWorker(new HashError('FAILED', 'the hashing thread ended', { cause }));
      }
    };
    worker.on('error', lost);
    worker.on('exit', lost);
    return worker;
  }

  #settle(reply: HashReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) {
      this.#cancelIdle?.();
      this.#cancelIdle = this.#clock.after(this.#idleMs, () => void this.#stopWorker(null));
    }
    if (reply.ok) waiting?.resolve({ sha256: reply.sha256, size: reply.size });
    else waiting?.reject(new HashError('FAILED', reply.message));
  }

  async #stopWorker(reason: HashError | null): Promise<void> {
    this.#cancelIdle?.();
    this.#cancelIdle = null;
    const worker = this.#worker;
    this.#worker = null;
    for (const waiting of this.#waiting.values()) {
      waiting.reject(reason ?? new HashError('FAILED', 'the hashing thread ended'));
    }
    this.#waiting.clear();
    await worker?.terminate();
  }
}

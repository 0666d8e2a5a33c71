/** Trains in a thread of its own: seconds of computing, which would be late heartbeats on the daemon's event loop. */
import { Worker } from 'node:worker_threads';
import { fail, type Outcome } from '../../protocols/schema/outcome.ts';
import type { TrainingRequest, TrainingResult } from '../types.ts';

export interface TrainingOrder {
  /** A weights file. */
  readonly weights: Uint8Array;
  readonly request: TrainingRequest;
}

const GIVEN_UP = fail('the training was given up');

/** Failure: a sentence. The thread is gone when this settles, which it does soon after an abort. */
export async function trainInThread(
  order: TrainingOrder,
  signal: AbortSignal,
): Promise<Outcome<TrainingResult, string>> {
  if (signal.aborted) return GIVEN_UP;
  // Run from source, the thread is TypeScript, which Node runs by itself; bundled, it lies beside the bundle.
  const file = import.meta.url.endsWith('.ts') ? './training-worker.ts' : './training-worker.js';
  const worker = new Worker(new URL(file, import.meta.url), {
    execArgv: [],
    name: 'training',
    workerData: order,
  });
  worker.unref();
  const answered = Promise.withResolvers<Outcome<TrainingResult, string>>();
  const giveUp = (): void => answered.resolve(GIVEN_UP);
  signal.addEventListener('abort', giveUp, { once: true });
  worker.on('message', answered.resolve);
  worker.on('error', (error) =>
    answered.resolve(fail(`the thread of the training failed: ${error.message}`)),
  );
  worker.on('exit', () => answered.resolve(fail('the thread of the training ended')));
  try {
    return await answered.promise;
  } finally {
    signal.removeEventListener('abort', giveUp);
    await worker.terminate();
  }
}

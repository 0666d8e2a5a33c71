/** Thread of one training: TensorFlow lives and dies with it, so that a daemon pays for it only while it trains. */
import { parentPort, workerData } from 'node:worker_threads';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { TrainingResult } from '../types.ts';
import { shippedFamilies } from './shipped.ts';
import { openBackend } from './tensor-backend.ts';
import { retrain } from './trainer.ts';
import type { TrainingOrder } from './training-thread.ts';
import { decodeWeights } from './weights-file.ts';

async function train({ weights, request }: TrainingOrder): Promise<Outcome<TrainingResult, string>> {
  const before = decodeWeights(weights);
  if (!before.ok) return before;
  const backend = await openBackend();
  return succeed(await retrain(before.value, request, { backend, shipped: await shippedFamilies() }));
}

try {
  parentPort?.postMessage(await train(workerData as TrainingOrder));
} catch (error) {
  parentPort?.postMessage(fail(error instanceof Error ? error.message : String(error)));
}

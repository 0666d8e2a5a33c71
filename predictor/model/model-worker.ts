/**
 * Worker thread of the model: everything that needs TensorFlow happens here, so that the event loop of the daemon
 * doesn't wait.
 */
import { createHash } from 'node:crypto';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { ModelReply, ModelRequest, ModelValue } from './messages.ts';
import { ModelPredictor } from './model-predictor.ts';
import { shippedFamilies, shippedWeights } from './shipped.ts';
import { openBackend, type TensorBackend } from './tensor-backend.ts';
import { retrain } from './trainer.ts';
import { decodeWeights, type ModelWeights } from './weights-file.ts';

class Service {
  #backend: Promise<TensorBackend> | null = null;
  #predictor: ModelPredictor | null = null;

  async answer(request: ModelRequest): Promise<ModelValue> {
    this.#backend ??= openBackend();
    const backend = await this.#backend;
    switch (request.type) {
      case 'load': {
        const bytes = request.weights ?? (await shippedWeights());
        const next = new ModelPredictor(parse(bytes), backend);
        this.#predictor?.dispose();
        this.#predictor = next;
        return { sha256: createHash('sha256').update(bytes).digest('hex'), backend: backend.name };
      }
      case 'predict': {
        this.#predictor ??= new ModelPredictor(parse(await shippedWeights()), backend);
        return this.#predictor.predict(request.known, request.inputSize, request.geometry);
      }
      case 'train': {
        const before = parse(request.weights ?? (await shippedWeights()));
        return retrain(before, request.request, { backend, shipped: await shippedFamilies() });
      }
    }
  }
}

/** @throws with the sentence of what is wrong with the file */
function parse(bytes: Uint8Array): ModelWeights {
  const parsed = decodeWeights(bytes);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

function serve(port: MessagePort): void {
  const service = new Service();
  let last: Promise<void> = Promise.resolve();
  port.on('message', (request: ModelRequest) => {
    last = last.then(async () => port.postMessage(await reply(service, request)));
  });
}

async function reply(service: Service, request: ModelRequest): Promise<ModelReply> {
  try {
    return { id: request.id, ok: true, value: await service.answer(request) };
  } catch (error) {
    return { id: request.id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

if (parentPort !== null) serve(parentPort);

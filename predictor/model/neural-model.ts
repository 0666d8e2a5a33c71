/**
 * The model as the daemon sees it. A prediction is computed here and at once, in half a millisecond: less than the way
 * to another thread and back (docs/decisions/0007). A training has a thread of its own.
 */
import { createHash } from 'node:crypto';
import { SHIPPED_VERSION } from '../../protocols/schema/model.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { ModelHost } from '../model-host.ts';
import type {
  CacheGeometry,
  MeasuredCurve,
  Prediction,
  PredictorInfo,
  TrainingRequest,
  TrainingResult,
} from '../types.ts';
import { ModelPredictor } from './model-predictor.ts';
import { shippedWeights } from './shipped.ts';
import { trainInThread } from './training-thread.ts';
import { decodeWeights } from './weights-file.ts';

const DESCRIPTION =
  'a neural network over measured points, in bytes of cache; its band holds the slowdown in 9 of 10 cases';

/** Weights in use. */
interface Loaded {
  readonly version: number;
  readonly weights: Uint8Array;
  readonly sha256: string;
  readonly predictor: ModelPredictor;
}

export class NeuralModel implements ModelHost {
  readonly #shipped: Loaded;
  readonly #stopping = new AbortController();
  #loaded: Loaded;
  #training: Promise<unknown> | null = null;

  /** @throws when the weights that the program ships with are missing or damaged */
  static async open(): Promise<NeuralModel> {
    const loaded = decode(SHIPPED_VERSION, await shippedWeights());
    if (!loaded.ok) throw new Error(`the shipped weights are damaged: ${loaded.error}`);
    return new NeuralModel(loaded.value);
  }

  private constructor(shipped: Loaded) {
    this.#shipped = shipped;
    this.#loaded = shipped;
  }

  info(): PredictorInfo {
    const { version, sha256 } = this.#loaded;
    return { name: 'neural', version, sha256, description: DESCRIPTION };
  }

  predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry): Prediction {
    return this.#loaded.predictor.predict(known, inputSize, geometry);
  }

  load(version: number, weights: Uint8Array): Outcome<PredictorInfo, string> {
    const loaded = decode(version, weights);
    if (!loaded.ok) return loaded;
    this.#loaded = loaded.value;
    return succeed(this.info());
  }

  loadShipped(): PredictorInfo {
    this.#loaded = this.#shipped;
    return this.info();
  }

  async train(request: TrainingRequest, signal: AbortSignal): Promise<Outcome<TrainingResult, string>> {
    if (this.#training !== null) return fail('another training is under way');
    const { weights } = this.#loaded;
    const training = trainInThread({ weights, request }, AbortSignal.any([signal, this.#stopping.signal]));
    this.#training = training;
    try {
      return await training;
    } finally {
      this.#training = null;
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#training;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function decode(version: number, weights: Uint8Array): Outcome<Loaded, string> {
  const decoded = decodeWeights(weights);
  if (!decoded.ok) return decoded;
  try {
    const predictor = new ModelPredictor(decoded.value);
    return succeed({
      version,
      weights,
      sha256: createHash('sha256').update(weights).digest('hex'),
      predictor,
    });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

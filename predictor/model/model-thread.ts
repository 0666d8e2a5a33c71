/**
 * The model as the daemon sees it. Predictions and training have a thread each, started when first needed and ended
 * when idle, so that TensorFlow costs nothing until then and a training holds no prediction up. Until its thread is
 * ready, and where it never is, predictions are computed here and at once, in a millisecond: a new master must not wait
 * for TensorFlow.
 */
import { createHash } from 'node:crypto';
import { SHIPPED_VERSION } from '../../protocols/schema/model.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import { CurveFitPredictor } from '../curve-fit.ts';
import type { ModelHost } from '../model-host.ts';
import { NOTHING_KNOWN } from '../nothing-known.ts';
import type {
  CacheGeometry,
  MeasuredCurve,
  Prediction,
  PredictorInfo,
  TrainingRequest,
  TrainingResult,
} from '../types.ts';
import type { ModelCall, ModelLoaded } from './messages.ts';
import { ModelPredictor } from './model-predictor.ts';
import { shippedWeights } from './shipped.ts';
import { ModelThreadError, ThreadCaller } from './thread-caller.ts';
import { decodeWeights } from './weights-file.ts';

export interface ModelThreadOptions {
  /** How long the thread of predictions may stand idle; it holds some 60 MB. @default 600000 */
  readonly idleMs?: number;
}

export interface ModelThreadDependencies {
  /** Calls `task` once after `delayMs`; returns what cancels it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  /** Told when the thread can't be had, and predictions go on without it; once for each reason. */
  readonly onFallback?: (reason: string) => void;
}

const DESCRIPTION =
  'a neural network over measured points, in bytes of cache; its band holds the slowdown in 9 of 10 cases';
const IDLE_MS = 600_000;
const STOPPED = new ModelThreadError('LOST', 'the model was stopped');

export class ModelThread implements ModelHost {
  readonly #options: Required<ModelThreadOptions>;
  readonly #dependencies: ModelThreadDependencies;
  readonly #fallback = new CurveFitPredictor();
  readonly #predicting: ThreadCaller;
  readonly #training = new ThreadCaller();
  #cancelIdle: () => void = () => {};
  /** Null: what the program ships with. */
  #weights: Uint8Array | null = null;
  #version = SHIPPED_VERSION;
  /** Of what the thread of predictions holds; null while there is none. */
  #loaded: Promise<ModelLoaded> | null = null;
  #known: Pick<PredictorInfo, 'sha256' | 'backend'>;
  /** Whether the thread of predictions holds the weights in use. */
  #isReady = false;
  /** Computes without a thread; null until it is needed. */
  #plain: ModelPredictor | null = null;
  readonly #shipped: Uint8Array;
  #complaint: string | null = null;
  #stopped = false;

  /** @throws when the weights that the program ships with are missing */
  static async open(
    options: ModelThreadOptions,
    dependencies: ModelThreadDependencies,
  ): Promise<ModelThread> {
    return new ModelThread(options, dependencies, await shippedWeights());
  }

  private constructor(
    options: ModelThreadOptions,
    dependencies: ModelThreadDependencies,
    shipped: Uint8Array,
  ) {
    this.#shipped = shipped;
    this.#known = { sha256: createHash('sha256').update(shipped).digest('hex'), backend: null };
    this.#options = { idleMs: options.idleMs ?? IDLE_MS };
    this.#dependencies = dependencies;
    this.#predicting = new ThreadCaller(() => this.#restWhenIdle());
  }

  info(): PredictorInfo {
    return { name: 'neural', version: this.#version, ...this.#known, description: DESCRIPTION };
  }

  /** Whether a thread exists right now. */
  get active(): boolean {
    return this.#predicting.active || this.#training.active;
  }

  async predict(
    known: readonly MeasuredCurve[],
    inputSize: number,
    geometry: CacheGeometry,
  ): Promise<Prediction> {
    // Nothing is known of nothing; a new master need not load TensorFlow to say so.
    if (known.length === 0) return NOTHING_KNOWN;
    try {
      if (!this.#isReady) {
        this.#ready().catch((error: unknown) => this.#complain(error));
        return this.#atOnce().predict(known, inputSize, geometry);
      }
      return (await this.#call({ type: 'predict', known, inputSize, geometry })) as Prediction;
    } catch (error) {
      this.#complain(error);
      return this.#fallback.predict(known, inputSize, geometry);
    }
  }

  load(version: number, weights: Uint8Array): Promise<Outcome<PredictorInfo, string>> {
    return this.#use(version, weights);
  }

  loadShipped(): Promise<Outcome<PredictorInfo, string>> {
    return this.#use(SHIPPED_VERSION, null);
  }

  async train(request: TrainingRequest, signal: AbortSignal): Promise<Outcome<TrainingResult, string>> {
    if (this.#stopped || signal.aborted) return { ok: false, error: 'the training was given up' };
    if (this.#training.active) return { ok: false, error: 'another training is under way' };
    const giveUp = (): void =>
      void this.#training.end(new ModelThreadError('LOST', 'the training was given up'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const result = await this.#training.call({ type: 'train', weights: this.#weights, request });
      return { ok: true, value: result as TrainingResult };
    } catch (error) {
      return { ok: false, error: messageOf(error) };
    } finally {
      signal.removeEventListener('abort', giveUp);
      await this.#training.end(STOPPED);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelIdle();
    this.#loaded = null;
    this.#isReady = false;
    await Promise.all([this.#predicting.end(STOPPED), this.#training.end(STOPPED)]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #use(version: number, weights: Uint8Array | null): Promise<Outcome<PredictorInfo, string>> {
    try {
      const loaded = this.#call({ type: 'load', weights }) as Promise<ModelLoaded>;
      this.#known = await loaded;
      this.#loaded = loaded;
      this.#isReady = true;
      this.#plain = null;
      this.#weights = weights;
      this.#version = version;
      return { ok: true, value: this.info() };
    } catch (error) {
      return { ok: false, error: messageOf(error) };
    }
  }

  /** A thread that was started again knows only what the program ships with. */
  async #ready(): Promise<void> {
    if (this.#stopped) throw STOPPED;
    if (!this.#predicting.active) this.#loaded = null;
    this.#loaded ??= this.#call({ type: 'load', weights: this.#weights }) as Promise<ModelLoaded>;
    try {
      this.#known = await this.#loaded;
      this.#isReady = this.#predicting.active;
    } catch (error) {
      this.#loaded = null;
      throw error;
    }
  }

  #call(call: ModelCall): ReturnType<ThreadCaller['call']> {
    if (this.#stopped) return Promise.reject(STOPPED);
    this.#cancelIdle();
    return this.#predicting.call(call);
  }

  #restWhenIdle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#dependencies.after(this.#options.idleMs, () => {
      this.#loaded = null;
      this.#isReady = false;
      void this.#predicting.end(STOPPED);
    });
  }

  #atOnce(): ModelPredictor {
    if (this.#plain !== null) return this.#plain;
    const decoded = decodeWeights(this.#weights ?? this.#shipped);
    if (!decoded.ok) throw new Error(decoded.error);
    this.#plain = new ModelPredictor(decoded.value, null);
    return this.#plain;
  }

  #complain(error: unknown): void {
    if (!this.#predicting.active) this.#isReady = false;
    const reason = messageOf(error);
    if (this.#complaint === reason || this.#stopped) return;
    this.#complaint = reason;
    this.#dependencies.onFallback?.(reason);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

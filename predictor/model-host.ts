/** Where a model lives: the port between whoever follows, trains and judges versions, and what computes. */
import type { Outcome } from '../protocols/schema/outcome.ts';
import type { Predictor, PredictorInfo, TrainingRequest, TrainingResult } from './types.ts';

export interface ModelHost extends Predictor {
  /** Takes the weights into use. Failure: a sentence (damaged, of another version); those before stay in use then. */
  load(version: number, weights: Uint8Array): Outcome<PredictorInfo, string>;
  /** Back to the weights that the program ships with (version 0). */
  loadShipped(): PredictorInfo;
  /**
   * From the weights in use to better ones, which are not taken into use. Failure: a sentence. Settles soon after an
   * abort.
   */
  train(request: TrainingRequest, signal: AbortSignal): Promise<Outcome<TrainingResult, string>>;
  /** Gives up a training that is under way. */
  stop(): Promise<void>;
}

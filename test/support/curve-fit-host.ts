/** The curve fit as a model host: it has no weights, so there is nothing to load and nothing to train. */
import { CurveFitPredictor } from '../../predictor/curve-fit.ts';
import type { ModelHost } from '../../predictor/model-host.ts';
import type {
  CacheGeometry,
  MeasuredCurve,
  Prediction,
  PredictorInfo,
  TrainingResult,
} from '../../predictor/types.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';

const NO_WEIGHTS = { ok: false, error: 'the curve fit has no weights' } as const;

export class CurveFitHost implements ModelHost {
  readonly #predictor = new CurveFitPredictor();

  info(): PredictorInfo {
    return this.#predictor.info();
  }

  predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry): Promise<Prediction> {
    return this.#predictor.predict(known, inputSize, geometry);
  }

  async load(): Promise<Outcome<PredictorInfo, string>> {
    return NO_WEIGHTS;
  }

  async loadShipped(): Promise<Outcome<PredictorInfo, string>> {
    return { ok: true, value: this.info() };
  }

  async train(): Promise<Outcome<TrainingResult, string>> {
    return NO_WEIGHTS;
  }

  async stop(): Promise<void> {}
}

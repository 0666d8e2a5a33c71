/** The curve fit as a model host: it has no weights, so there is nothing to load and nothing to train. */
import { CurveFitPredictor } from '../../predictor/eval/baselines/curve-fit.ts';
import type { ModelHost } from '../../predictor/model-host.ts';
import type { PredictorInfo, TrainingResult } from '../../predictor/types.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';

const NO_WEIGHTS = { ok: false, error: 'the curve fit has no weights' } as const;

export class CurveFitHost extends CurveFitPredictor implements ModelHost {
  load(): Outcome<PredictorInfo, string> {
    return NO_WEIGHTS;
  }

  loadShipped(): PredictorInfo {
    return this.info();
  }

  async train(): Promise<Outcome<TrainingResult, string>> {
    return NO_WEIGHTS;
  }

  async stop(): Promise<void> {}
}

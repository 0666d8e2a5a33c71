/** The learned model, trained on the curves that it may know and judged like the others. */
import { setImmediate } from 'node:timers/promises';
import { chooseWays } from '../choose-ways.ts';
import type { CurveSet } from '../dataset/types.ts';
import { guidedWays } from '../guided-ways.ts';
import { ModelPredictor } from '../model/model-predictor.ts';
import { shippedWeights, toFamilies } from '../model/shipped.ts';
import { openBackend } from '../model/tensor-backend.ts';
import { trainModel } from '../model/trainer.ts';
import { decodeWeights, type ModelWeights } from '../model/weights-file.ts';
import type { FitOptions, Fitted, Method } from './method.ts';

export const LEARNED: Method = {
  name: 'fsched',
  training: 'heavy',
  fit: async (train, options) => fitted(new ModelPredictor(await weightsOf(train, options))),
};

async function weightsOf(train: CurveSet, { shipped, seed, signal }: FitOptions): Promise<ModelWeights> {
  if (!shipped) {
    const onNetwork = async (): Promise<void> => {
      await setImmediate();
      signal.throwIfAborted();
    };
    return trainModel(toFamilies(train), { seed, onNetwork }, await openBackend());
  }
  const decoded = decodeWeights(await shippedWeights());
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

function fitted(predictor: ModelPredictor): Fitted {
  return {
    // Few executions are spent on the choice first; the model says where the next one tells the most.
    sampling: {
      exhaustive: true,
      next: (curve, geometry, budget) => {
        const measured = new Set(curve.points.map(({ ways }) => ways));
        if (measured.size === 0) return geometry.ways;
        const prediction = predictor.predict([curve], curve.inputSize, geometry);
        return guidedWays(prediction, measured, { executionsLeft: budget - measured.size });
      },
    },
    predict: async ({ known, inputSize, geometry }) => {
      const prediction = predictor.predict(known, inputSize, geometry);
      const { slowdown, quantiles } = prediction;
      return { slowdown, quantiles, ways: chooseWays(prediction).ways };
    },
    stop: () => {},
  };
}

import { chooseWays } from '../../choose-ways.ts';
import type { Predictor } from '../../types.ts';
import { allOf } from '../evidence.ts';
import { type Method, untrained } from '../method.ts';
import { ADAPTIVE } from '../sampling.ts';

/** A predictor of the product that learns nothing beforehand, with the product's benchmark and choice. */
export function fromPredictor(predictor: Predictor): Method {
  return untrained(predictor.info().name, ADAPTIVE, ({ known, inputSize, geometry }) => {
    const prediction = predictor.predict(known, inputSize, geometry);
    if (prediction.mode === 'INOP') return allOf(geometry);
    const { slowdown, quantiles } = prediction;
    return { slowdown, quantiles, ways: chooseWays(prediction).ways };
  });
}

/** How good weights are on questions whose answers are known. */

import type { ModelScore } from '../../protocols/schema/model.ts';
import { chooseWays, DEFAULT_MAX_SLOWDOWN } from '../choose-ways.ts';
import type { Example } from './examples.ts';
import { ModelPredictor } from './model-predictor.ts';
import type { ModelWeights } from './weights-file.ts';

/** A single miss must not decide all. */
const LEAST_PROBABILITY = 1e-3;

export function scoreOf(weights: ModelWeights, questions: readonly Example[]): ModelScore {
  const predictor = new ModelPredictor(weights);
  let loss = 0;
  let rows = 0;
  let within = 0;
  let judged = 0;
  let spent = 0;
  let least = 0;
  for (const { known, inputSize, geometry, truth } of questions) {
    const prediction = predictor.predict(known, inputSize, geometry);
    const { tail } = prediction;
    if (tail == null) continue;
    for (const [i, level] of truth.entries()) {
      if (Number.isNaN(level)) continue;
      for (const [column, threshold] of tail.thresholds.entries()) {
        const exceeds = clamp(tail.exceeds[i]?.[column] ?? 0);
        loss -= Math.log(level > Math.log(threshold) ? exceeds : 1 - exceeds) / tail.thresholds.length;
      }
      rows += 1;
    }
    const levels = [...truth, 0];
    // Only where the answer is known on both sides of the allowance can a choice be judged.
    if (levels.some(Number.isNaN)) continue;
    const allowed = Math.log(DEFAULT_MAX_SLOWDOWN);
    const { ways } = chooseWays(prediction);
    judged += 1;
    within += (levels[ways - 1] ?? 0) <= allowed ? 1 : 0;
    spent += ways;
    least += levels.findLastIndex((level) => level > allowed) + 2;
  }
  return {
    loss: rows === 0 ? 0 : loss / rows,
    within: judged === 0 ? 0 : within / judged,
    waysRatio: least === 0 ? 0 : spent / least,
    questions: questions.length,
  };
}

const clamp = (value: number): number => Math.min(1 - LEAST_PROBABILITY, Math.max(LEAST_PROBABILITY, value));

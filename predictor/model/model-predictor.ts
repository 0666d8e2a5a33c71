/** Answers questions by the network: evidence in, a believed curve out. */

import { probabilityAbove } from '../slowdown-tail.ts';
import {
  type CacheGeometry,
  type MeasuredCurve,
  NOTHING_KNOWN,
  type Prediction,
  seesCache,
} from '../types.ts';
import { believe } from './believe.ts';
import { chooseWitnesses, FEATURE_COUNT, FEATURE_VERSION, featuresOf, type Witnesses } from './features.ts';
import { PlainNetworks } from './plain-network.ts';
import type { ModelWeights } from './weights-file.ts';

/** A task that was never benchmarked is placed all the same when so few of the ways surely do. */
const SURE_SHARE = 0.5;
const SURE = 0.95;
const ALLOWED = 1.05;

export class ModelPredictor {
  readonly #weights: ModelWeights;
  readonly #networks: PlainNetworks;

  /** @throws when the weights are for other features than this program computes */
  constructor(weights: ModelWeights) {
    const { featureVersion, mean } = weights;
    if (featureVersion !== FEATURE_VERSION || mean.length !== FEATURE_COUNT) {
      throw new Error(
        `these weights are for features of version ${featureVersion}, and this program computes version ${FEATURE_VERSION}; train them again`,
      );
    }
    this.#weights = weights;
    this.#networks = new PlainNetworks(weights);
  }

  predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry): Prediction {
    if (!Number.isInteger(geometry.ways) || geometry.ways < 1 || !(geometry.wayBytes > 0))
      return NOTHING_KNOWN;
    const witnesses = chooseWitnesses(known, inputSize, geometry);
    if (witnesses === null) return NOTHING_KNOWN;
    const { thresholds } = this.#weights;
    const features = featuresOf(witnesses, inputSize, geometry);
    const probabilities = features.rows === 0 ? new Float32Array() : this.#networks.probabilities(features);
    const { first } = witnesses;
    const measured = first.inputSize === Math.max(1, inputSize) ? first : null;
    const believed = believe(probabilities, thresholds, measured);
    const mode = modeOf(known, inputSize, believed);
    if (mode === 'INOP') return NOTHING_KNOWN;
    return { mode, ...believed, fullCacheSeconds: fullSeconds(witnesses, inputSize) };
  }
}

/** Only a benchmark makes a task known; runs alone do when the model is sure what they mean. */
function modeOf(
  known: readonly MeasuredCurve[],
  inputSize: number,
  { tail }: Pick<Prediction, 'tail'>,
): Prediction['mode'] {
  const benchmarks = known.filter(({ origin = 'benchmark' }) => origin === 'benchmark');
  if (benchmarks.some((curve) => curve.inputSize === inputSize)) return 'BENCHMARKED';
  if (benchmarks.length > 0) return 'ASSISTED';
  // Times in ways that nothing held say how long it takes, and little of what it does with cache.
  if (tail == null || !known.some(seesCache)) return 'INOP';
  const few = Math.max(1, Math.floor(tail.exceeds.length * SURE_SHARE));
  const risk = probabilityAbove(tail.thresholds, tail.exceeds[few - 1] ?? [], ALLOWED);
  return risk <= 1 - SURE ? 'ASSISTED' : 'INOP';
}

/**
 * Along the power of the size by which the time grew between the two curves; linear where there is one. Shown; decides
 * nothing.
 */
function fullSeconds({ first, second }: Witnesses, inputSize: number): number {
  const steps = Math.log(Math.max(1, inputSize) / first.inputSize);
  if (steps === 0) return first.fullSeconds;
  const growth =
    second === null
      ? 1
      : Math.log(second.fullSeconds / first.fullSeconds) / Math.log(second.inputSize / first.inputSize);
  return first.fullSeconds * Math.exp(Math.min(4, Math.max(0, growth)) * steps);
}

/** Whether a function needs cache of its own. Pure. */
import { DEFAULT_CONFIDENCE, DEFAULT_MAX_SLOWDOWN, quantileCurve } from './choose-ways.ts';
import type { Prediction } from './types.ts';

/**
 * False only when it is as sure as asked for that one way slows it by no more than is allowed. A curve without
 * quantiles is sure of the input size that it was measured at, and of no other; what was never benchmarked may gain.
 * @param prediction from profiles that see the cache
 */
export function gainsFromCache(
  prediction: Pick<Prediction, 'mode' | 'slowdown' | 'quantiles'>,
  options: { readonly maxSlowdown?: number; readonly confidence?: number } = {},
): boolean {
  const isSure = prediction.quantiles.length > 0 || prediction.mode === 'BENCHMARKED';
  if (prediction.mode === 'INOP' || !isSure) return true;
  const [oneWay] = quantileCurve(prediction, options.confidence ?? DEFAULT_CONFIDENCE);
  return oneWay === undefined || oneWay > (options.maxSlowdown ?? DEFAULT_MAX_SLOWDOWN);
}

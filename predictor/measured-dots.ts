/** Measured points in terms of a predicted curve, to draw them beside it. Pure. */
import { mean } from '../protocols/schema/statistics.ts';
import { type CacheGeometry, type MeasuredCurve, seesCache } from './types.ts';

export interface MeasuredDot {
  /** Of the geometry that was predicted for; may be fractional. */
  readonly ways: number;
  readonly slowdown: number;
  readonly profiler: string;
}

export interface DotsQuestion {
  readonly curves: readonly MeasuredCurve[];
  readonly geometry: CacheGeometry;
  readonly inputSize: number;
  /** Predicted, for 1..ways ways. */
  readonly slowdown: readonly number[];
}

/**
 * The points at this input size that see the cache, relative to the full cache: the time with that is what the curve's
 * longest point and the prediction for its ways say.
 */
export function measuredDots({ curves, geometry, inputSize, slowdown }: DotsQuestion): MeasuredDot[] {
  return curves
    .filter((curve) => curve.inputSize === inputSize && seesCache(curve))
    .flatMap(({ points, wayBytes, profiler = 'wallclock' }) => {
      const scaled = points
        .map(({ ways, seconds }) => ({ ways: (ways * wayBytes) / geometry.wayBytes, seconds: mean(seconds) }))
        .filter(({ ways, seconds }) => ways > 0 && seconds > 0 && Number.isFinite(seconds))
        .toSorted((a, b) => a.ways - b.ways);
      const last = scaled.at(-1);
      if (last === undefined) return [];
      const full = last.seconds / slowdownAt(slowdown, last.ways);
      return scaled
        .map(({ ways, seconds }) => ({ ways, slowdown: seconds / full, profiler }))
        .filter((dot) => Number.isFinite(dot.slowdown));
    });
}

/** Between two numbers of ways on a straight line; 1 where nothing is predicted. */
export function slowdownAt(slowdown: readonly number[], ways: number): number {
  const at = Math.min(Math.max(ways, 1), Math.max(1, slowdown.length)) - 1;
  const low = slowdown[Math.floor(at)] ?? 1;
  const high = slowdown[Math.ceil(at)] ?? low;
  return low + (at - Math.floor(at)) * (high - low);
}

/**
 * The first predictor: the original Fsched's curve `a + b / (1 + sqrt(ways - 1))`, fitted to *relative*
 * slowdown instead of seconds, so that a function of a millisecond is treated like one of a minute.
 * Known sizes answer for themselves (`BENCHMARKED`), unknown ones borrow the nearest in ratio (`ASSISTED`). Of two
 * profiles of one size the one that saw the cache is believed.
 */
import { mean } from '../../../protocols/schema/statistics.ts';
import {
  type CacheGeometry,
  type MeasuredCurve,
  NOTHING_KNOWN,
  type Prediction,
  type Predictor,
  type PredictorInfo,
  seesCache,
} from '../../types.ts';

interface Point {
  /** In ways of the target's size; may be fractional. */
  readonly ways: number;
  readonly seconds: number;
}

/** No clock tells less, and ratios of less overflow. */
const LEAST_SECONDS = 1e-9;

const shape = (ways: number): number => 1 / (1 + Math.sqrt(Math.max(ways, 1) - 1));

/**
 * A benchmark, or runs in held ways: times of other runs say nothing of cache, and must not stand in for a benchmark.
 * Without a second number of ways a curve of runs has no slope.
 */
const isUsable = ({ origin = 'benchmark', profiler, points }: MeasuredCurve): boolean =>
  origin === 'benchmark' || (profiler === 'run' && points.length > 1);

/** Positive, finite means of the samples; ways converted through bytes, so that a profile serves another machine. */
function usablePoints(curve: MeasuredCurve, geometry: CacheGeometry): Point[] {
  return curve.points
    .map(({ ways, seconds }) => ({
      ways: (ways * curve.wayBytes) / geometry.wayBytes,
      seconds: mean(seconds.filter((value) => Number.isFinite(value) && value >= LEAST_SECONDS)),
    }))
    .filter((point) => Number.isFinite(point.seconds) && Number.isFinite(point.ways) && point.ways > 0)
    .sort((left, right) => left.ways - right.ways);
}

/** Least squares of `a + b * shape(ways)` over times divided by that at the most ways; `b` is never negative. */
function fitCurve(points: readonly Point[]): { readonly a: number; readonly b: number } {
  const full = points.at(-1)?.seconds ?? 1;
  const xs = points.map((point) => shape(point.ways));
  const ys = points.map((point) => point.seconds / full);
  const meanX = mean(xs);
  const meanY = mean(ys);
  let covariance = 0;
  let variance = 0;
  for (const [i, x] of xs.entries()) {
    covariance += (x - meanX) * ((ys[i] ?? meanY) - meanY);
    variance += (x - meanX) ** 2;
  }
  const b = variance > 0 ? Math.max(0, covariance / variance) : 0;
  return { a: meanY - b * meanX, b };
}

/** Slowdown for 1..ways, relative to all ways of `geometry`. */
function slowdownOf(points: readonly Point[], geometry: CacheGeometry): number[] {
  const { a, b } = fitCurve(points);
  const full = a + b * shape(geometry.ways);
  return Array.from({ length: geometry.ways }, (_, i) =>
    full > 0 ? Math.max(1, (a + b * shape(i + 1)) / full) : 1,
  );
}

export class CurveFitPredictor implements Predictor {
  info(): PredictorInfo {
    return {
      name: 'curve-fit',
      version: null,
      sha256: null,
      description:
        'slowdown = a + b / (1 + sqrt(ways - 1)), least squares over measured points; nearest input size by ratio',
    };
  }

  predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry): Prediction {
    const distance = (curve: MeasuredCurve): number =>
      Math.abs(Math.log((curve.inputSize + 1) / (inputSize + 1)));
    let best: { readonly curve: MeasuredCurve; readonly points: readonly Point[] } | null = null;
    for (const curve of known) {
      const points = usablePoints(curve, geometry);
      if (points.length === 0 || !isUsable(curve)) continue;
      const nearer = best ? distance(curve) - distance(best.curve) : -1;
      if (!best || nearer < 0 || (nearer === 0 && seesCache(curve) && !seesCache(best.curve))) {
        best = { curve, points };
      }
    }
    const longest = best?.points.at(-1);
    if (!best || !longest) return NOTHING_KNOWN;
    const same = best.curve.inputSize === inputSize && best.curve.origin !== 'run';
    return {
      mode: same ? 'BENCHMARKED' : 'ASSISTED',
      slowdown: slowdownOf(best.points, geometry),
      quantiles: [],
      // Linear in the input size, for want of anything better; it is shown, and decides nothing.
      fullCacheSeconds: longest.seconds * (same ? 1 : (inputSize + 1) / (best.curve.inputSize + 1)),
    };
  }
}

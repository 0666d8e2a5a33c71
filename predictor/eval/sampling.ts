/** Benchmarks replayed on curves that are known: a method sees of them what it would have measured. Pure. */
import { nextWays } from '../adaptive-ways.ts';
import type { FunctionCurve } from '../dataset/types.ts';
import type { CacheGeometry, MeasuredCurve } from '../types.ts';
import type { Sampling } from './method.ts';
import { isWithin } from './truth.ts';

/** Executions of one benchmark. */
export type Budget = number | 'all';

/** Once the curve is known to the product's tolerance what is left of the budget makes it finer. */
const TOLERANCES = [0.03, 0.01, 0.001];

/** The benchmark of the product. */
export const ADAPTIVE: Sampling = {
  exhaustive: true,
  next: (curve, { ways }) => {
    for (const tolerance of TOLERANCES) {
      const next = nextWays(curve.points, ways, { deterministic: true, tolerance });
      if (next !== null) return next;
    }
    return null;
  },
};

/** Needs no benchmark. */
export const NONE: Sampling = { exhaustive: false, next: () => null };

/** The full cache, then by halves the fewest ways within 5 % of it. */
export const BISECTION: Sampling = {
  exhaustive: false,
  next: ({ points }, { ways }) => {
    const full = points.find((point) => point.ways === ways)?.seconds[0];
    if (full === undefined) return points.length === 0 ? ways : null;
    const good = points.filter(({ seconds }) => isWithin((seconds[0] ?? full) / full));
    const bad = points.filter((point) => !good.includes(point));
    const low = Math.max(0, ...bad.map((point) => point.ways));
    const high = Math.min(...good.map((point) => point.ways).filter((way) => way > low));
    return high - low > 1 ? Math.floor((low + high) / 2) : null;
  },
};

/** The measured points that a benchmark of `truth` yields; where a point is missing the nearest is taken instead. */
export async function benchmark(
  truth: FunctionCurve,
  geometry: CacheGeometry,
  sampling: Sampling,
  budget: Budget,
): Promise<MeasuredCurve> {
  if (budget === 'all' && sampling.exhaustive) return measured(truth, geometry, truth.points);
  const limit = Math.min(budget === 'all' ? geometry.ways : budget, truth.points.length);
  const hidden = [...truth.points];
  const found: FunctionCurve['points'][number][] = [];
  while (found.length < limit) {
    const wanted = await sampling.next(measured(truth, geometry, found), geometry, limit);
    if (wanted === null) break;
    const nearest = hidden.reduce((best, point) =>
      Math.abs(point.ways - wanted) < Math.abs(best.ways - wanted) ? point : best,
    );
    hidden.splice(hidden.indexOf(nearest), 1);
    found.push(nearest);
  }
  return measured(truth, geometry, found);
}

function measured(
  { inputSize }: FunctionCurve,
  { wayBytes }: CacheGeometry,
  points: FunctionCurve['points'],
): MeasuredCurve {
  return {
    inputSize,
    wayBytes,
    profiler: 'cachegrind',
    points: [...points]
      .sort((left, right) => left.ways - right.ways)
      .map(({ ways, seconds }) => ({ ways, seconds: [seconds] })),
  };
}

/**
 * The original Fsched's predictor, without its bugs. It knows functions by `time = a + b / (1 + sqrt(ways - 1))`,
 * fitted to each of their input sizes. A benchmarked task is taken for the known curve with the smallest squared error.
 * At an input size that was not benchmarked it takes the nearest size of that function, scaled by the ratio of the
 * sizes. The ways are where the slope of the curve reaches the generosity.
 */
import { mean } from '../../../protocols/schema/statistics.ts';
import type { CurveSet, FunctionCurve } from '../../dataset/types.ts';
import type { CacheGeometry } from '../../types.ts';
import { allOf, byDifference, clamped, type Evidence, nearestFirst } from '../evidence.ts';
import type { Answer, Method, Question } from '../method.ts';
import { ADAPTIVE } from '../sampling.ts';

/** With twenty free ways in the cluster, or less: time per way. */
const GENEROSITY = -0.1;

interface Formula {
  readonly a: number;
  readonly b: number;
}

interface Known extends Formula {
  readonly name: string;
  readonly inputSize: number;
}

/**
 * @param unit of time: the original has `seconds`, with which short functions get one way whatever they need;
 * `relative` to the time with the most ways is what it might have meant
 */
export function originalFit(name: string, unit: 'seconds' | 'relative'): Method {
  return {
    name,
    training: 'light',
    fit: async (train) => {
      const fits = new Map<number, Known[]>();
      return {
        sampling: ADAPTIVE,
        predict: async (question) => {
          const { wayBytes } = question.geometry;
          const known = fits.get(wayBytes) ?? fitAll(train, wayBytes, unit);
          fits.set(wayBytes, known);
          return answer(question, known, unit);
        },
        stop: () => {},
      };
    },
  };
}

function answer({ known, inputSize, geometry }: Question, functions: readonly Known[], unit: string): Answer {
  const [nearest] = nearestFirst(known, inputSize, geometry, byDifference);
  if (nearest === undefined) return allOf(geometry);
  const points = unit === 'seconds' ? nearest.points : relative(nearest.points);
  const match = least(functions, (each) => squaredError(each, points));
  if (match === null) return allOf(geometry);
  if (nearest.inputSize === inputSize) return answerOf(match, geometry);
  const sizes = functions.filter(({ name }) => name === match.name);
  const size = least(sizes, (each) => byDifference(each.inputSize, inputSize)) ?? match;
  const scale = unit === 'seconds' ? inputSize / size.inputSize : 1;
  return answerOf({ a: size.a * scale, b: size.b * scale }, geometry);
}

function answerOf(formula: Formula, geometry: CacheGeometry): Answer {
  const full = timeAt(formula, geometry.ways);
  const slowdown = Array.from({ length: geometry.ways }, (_, index) =>
    full > 0 ? Math.max(1, timeAt(formula, index + 1) / full) : 1,
  );
  return { slowdown, quantiles: [], ways: waysAt(formula, geometry) };
}

/** Where the slope, which flattens with more ways, reaches the generosity, to the nearest whole number. */
function waysAt({ b }: Formula, geometry: CacheGeometry): number {
  const slope = (ways: number): number => {
    const root = Math.sqrt(ways - 1);
    return -b / (2 * root * (1 + root) ** 2);
  };
  let [low, high] = [1, geometry.ways];
  for (let halvings = 0; halvings < 40; halvings++) {
    const middle = (low + high) / 2;
    if (slope(middle) < GENEROSITY) low = middle;
    else high = middle;
  }
  return clamped(Math.round(high), geometry);
}

const shape = (ways: number): number => 1 / (1 + Math.sqrt(Math.max(ways, 1) - 1));
const timeAt = ({ a, b }: Formula, ways: number): number => a + b * shape(ways);

function fitAll({ curves, geometry }: CurveSet, wayBytes: number, unit: string): Known[] {
  return curves.flatMap(({ name, inputSize, points }: FunctionCurve) => {
    if (points.length === 0) return [];
    const converted = points.map((point) => ({
      ...point,
      ways: (point.ways * geometry.wayBytes) / wayBytes,
    }));
    return [{ name, inputSize, ...fit(unit === 'seconds' ? converted : relative(converted)) }];
  });
}

/** Least squares; more cache never costs time. */
function fit(points: Evidence['points']): Formula {
  const meanX = mean(points.map(({ ways }) => shape(ways)));
  const meanY = mean(points.map(({ seconds }) => seconds));
  let [covariance, variance] = [0, 0];
  for (const { ways, seconds } of points) {
    covariance += (shape(ways) - meanX) * (seconds - meanY);
    variance += (shape(ways) - meanX) ** 2;
  }
  const b = variance > 0 ? Math.max(0, covariance / variance) : 0;
  return { a: meanY - b * meanX, b };
}

function relative(points: Evidence['points']): Evidence['points'] {
  const full = points.at(-1)?.seconds ?? 1;
  return points.map(({ ways, seconds }) => ({ ways, seconds: seconds / full }));
}

const squaredError = (formula: Formula, points: Evidence['points']): number =>
  points.reduce((sum, { ways, seconds }) => sum + (timeAt(formula, ways) - seconds) ** 2, 0);

/** Null of none. */
function least<T>(from: readonly T[], cost: (each: T) => number): T | null {
  let best: { readonly each: T; readonly cost: number } | null = null;
  for (const each of from) {
    const candidate = { each, cost: cost(each) };
    if (best === null || candidate.cost < best.cost) best = candidate;
  }
  return best?.each ?? null;
}

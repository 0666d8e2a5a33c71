import { mean } from '../protocols/schema/statistics.ts';
/**
 * Which way count a benchmark measures next, so that a curve is known after fewer executions than one per way. Pure.
 *
 * More cache never slows a program down (an LRU cache of k ways holds what one of k - 1 holds: Mattson et al., 1970),
 * so between two measured points the truth lies between their times. That bounds the error of a straight line between
 * them: this is how flats cost nothing and a cliff is cornered by bisection. Slopes would need every point by that
 * bound alone, so an interval is also known once its neighbours lie on one line with it and what could hide in it is
 * small.
 */

export interface SampledPoint {
  readonly ways: number;
  /** Raw samples, seconds, one an execution. */
  readonly seconds: readonly number[];
}

export interface AdaptiveOptions {
  /** An instrument that gives the same number twice: no execution is repeated. */
  readonly deterministic: boolean;
  /** Error that the curve may have, as a share of the time itself. @default 0.03 */
  readonly tolerance?: number;
  /** Executions that the whole curve may take. @default 48 */
  readonly maxExecutions?: number;
  /** Executions that one point may take. @default 5 */
  readonly maxSamples?: number;
}

/** Two samples of one point say nothing of its spread that one could rely on. */
const MIN_SAMPLES = 3;
/**
 * What may hide between points that lie on one line, in tolerances: so much a falling curve may be wrong by anywhere.
 */
const HIDDEN = 6;
/** Beyond this ratio of its ends an interval is cut in the geometric middle: curves bend where cache is scarce. */
const WIDE = 4;
/** Of the time with all ways: the slowdown that most runs may have. */
const DECISIVE_LEVEL = 1.05;

interface Point {
  readonly ways: number;
  /** Mean time relative to that with all ways. */
  readonly level: number;
  /** Standard error of `level`; 0 for a deterministic instrument. */
  readonly error: number;
  readonly samples: number;
}

interface Interval {
  readonly from: Point;
  readonly to: Point;
  /** What a straight line may be wrong by at most, as a share of the time. */
  readonly bound: number;
}

/**
 * The way count to execute next (1 to `ways`; one that was measured already when its spread is too large), or null when
 * the curve is known or the executions are used up.
 */
export function nextWays(
  points: readonly SampledPoint[],
  ways: number,
  options: AdaptiveOptions,
): number | null {
  const tolerance = options.tolerance ?? 0.03;
  const executions = points.reduce((sum, point) => sum + point.seconds.length, 0);
  if (executions >= (options.maxExecutions ?? 48)) return null;
  for (const end of [ways, 1]) {
    if (!points.some((point) => point.ways === end && point.seconds.length > 0)) return end;
  }
  const curve = toCurve(points, options.deterministic);
  if (!options.deterministic) {
    const uncertain = leastCertain(curve, options.maxSamples ?? 5, tolerance);
    if (uncertain !== null) return uncertain.ways;
  }
  const unknown = intervals(curve).filter((interval) => !isKnown(interval, curve, tolerance));
  // Where a run with the usual allowance gets its ways from is measured first: who stops early knows that at least.
  const decisive = unknown.find(({ from, to }) => from.level > DECISIVE_LEVEL && to.level <= DECISIVE_LEVEL);
  const next =
    decisive ??
    unknown.reduce<Interval | null>(
      (most, interval) => (most === null || interval.bound > most.bound ? interval : most),
      null,
    );
  return next === null ? null : between(next.from.ways, next.to.ways);
}

function toCurve(points: readonly SampledPoint[], deterministic: boolean): Point[] {
  const sampled = points
    .filter((point) => point.seconds.length > 0)
    .sort((left, right) => left.ways - right.ways);
  const full = mean(sampled.at(-1)?.seconds ?? []);
  const unit = full > 0 ? full : 1;
  return sampled.map(({ ways, seconds }) => ({
    ways,
    level: mean(seconds) / unit,
    error: deterministic ? 0 : standardError(seconds) / unit,
    samples: seconds.length,
  }));
}

/** The point whose mean is the least certain of those that may be executed again and need it. */
function leastCertain(curve: readonly Point[], maxSamples: number, tolerance: number): Point | null {
  const wanting = curve.filter(
    ({ samples, error, level }) =>
      samples < maxSamples && (samples < Math.min(MIN_SAMPLES, maxSamples) || error > tolerance * level),
  );
  return wanting.reduce<Point | null>(
    (worst, point) => (worst === null || point.samples < worst.samples ? point : worst),
    null,
  );
}

function intervals(curve: readonly Point[]): Interval[] {
  return curve.slice(1).flatMap((to, index) => {
    const from = curve[index] as Point;
    const gap = to.ways - from.ways;
    if (gap < 2) return [];
    // Of a difference that the spread explains nothing is hidden.
    const drop = Math.max(0, Math.abs(from.level - to.level) - 2 * Math.hypot(from.error, to.error));
    return [{ from, to, bound: (drop * (1 - 1 / gap)) / Math.min(from.level, to.level) }];
  });
}

function isKnown(interval: Interval, curve: readonly Point[], tolerance: number): boolean {
  if (interval.bound <= tolerance) return true;
  if (interval.bound > HIDDEN * tolerance) return false;
  const bends = [bendAt(interval.from, curve), bendAt(interval.to, curve)].filter((bend) => bend !== null);
  return bends.length > 0 && Math.max(...bends) <= tolerance;
}

/** How far a point lies from the straight line between its neighbours, as a share of its time; null at the ends. */
function bendAt(point: Point, curve: readonly Point[]): number | null {
  const index = curve.indexOf(point);
  const left = curve[index - 1];
  const right = curve[index + 1];
  if (left === undefined || right === undefined) return null;
  const share = (point.ways - left.ways) / (right.ways - left.ways);
  return Math.abs(left.level + share * (right.level - left.level) - point.level) / point.level;
}

function between(from: number, to: number): number {
  const middle = to / from > WIDE ? Math.sqrt(from * to) : (from + to) / 2;
  return Math.min(to - 1, Math.max(from + 1, Math.round(middle)));
}

/** Infinite for a single sample: nothing is known of its spread. */
function standardError(values: readonly number[]): number {
  if (values.length < 2) return Number.POSITIVE_INFINITY;
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  return Math.sqrt(variance / values.length);
}

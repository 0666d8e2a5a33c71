/** What baselines read from measured curves. Pure. */
import type { CacheGeometry, MeasuredCurve } from '../types.ts';
import type { Answer } from './method.ts';
import { isWithin, levelAt } from './truth.ts';

export interface Evidence {
  readonly inputSize: number;
  /** By ways of the cache asked about, which may be fractional; at least one. */
  readonly points: readonly { readonly ways: number; readonly seconds: number }[];
}

/** The answer of a method that has nothing to go by. */
export const allOf = ({ ways }: CacheGeometry): Answer => ({ slowdown: null, quantiles: [], ways });

/** Curves with points, the one nearest to the input size first. */
export function nearestFirst(
  known: readonly MeasuredCurve[],
  inputSize: number,
  geometry: CacheGeometry,
  distance: (from: number, to: number) => number = byRatio,
): Evidence[] {
  return known
    .map((curve) => ({ inputSize: curve.inputSize, points: pointsIn(curve, geometry) }))
    .filter(({ points }) => points.length > 0)
    .sort((left, right) => distance(left.inputSize, inputSize) - distance(right.inputSize, inputSize));
}

export const byRatio = (from: number, to: number): number => Math.abs(Math.log(from / to));
export const byDifference = (from: number, to: number): number => Math.abs(from - to);

function pointsIn({ points, wayBytes }: MeasuredCurve, geometry: CacheGeometry): Evidence['points'] {
  return points
    .filter(({ seconds }) => seconds.length > 0)
    .map(({ ways, seconds }) => ({
      ways: (ways * wayBytes) / geometry.wayBytes,
      seconds: seconds.reduce((sum, value) => sum + value, 0) / seconds.length,
    }))
    .sort((left, right) => left.ways - right.ways);
}

/** Straight lines between the points, made to never rise; 1 with all ways. */
export function interpolated({ points }: Evidence, geometry: CacheGeometry): number[] {
  const levels = points.map(({ ways, seconds }) => ({ ways, level: seconds }));
  const full = levelAt(levels, geometry.ways);
  const slowdown = Array.from({ length: geometry.ways }, (_, index) => levelAt(levels, index + 1) / full);
  let least = 1;
  return slowdown
    .reverse()
    .map((value) => {
      least = Math.max(least, value);
      return least;
    })
    .reverse();
}

/** The fewest measured ways that, like every larger measured number, stay within 5 % of the most. */
export function measuredKnee({ points }: Evidence, geometry: CacheGeometry): number {
  const full = points.at(-1)?.seconds ?? 1;
  const lastTooSlow = points.findLastIndex(({ seconds }) => !isWithin(seconds / full));
  return clamped(Math.ceil(points[lastTooSlow + 1]?.ways ?? geometry.ways), geometry);
}

export const clamped = (ways: number, geometry: CacheGeometry): number =>
  Math.min(geometry.ways, Math.max(1, ways));

/** What is so: the answers that methods are held against. Pure. */
import { DEFAULT_MAX_SLOWDOWN } from '../choose-ways.ts';
import type { FunctionCurve } from '../dataset/types.ts';
import type { CacheGeometry } from '../types.ts';

/** Of rounding, where a slowdown is held against the one allowed. */
const EPSILON = 1e-9;

export interface Truth {
  /** Slowdown relative to the most ways measured, for 1..ways ways; on a straight line where a point is missing. */
  readonly slowdown: readonly number[];
  /** The way counts that were measured: predicted slowdowns are held against these only. */
  readonly measured: readonly number[];
  /** The fewest ways that stay within 5 % of the full cache, as does every larger number. */
  readonly oracle: number;
}

/** Null for a curve of less than two points: it says nothing about cache. */
export function truthOf(curve: FunctionCurve, geometry: CacheGeometry): Truth | null {
  const points = curve.points.filter(
    ({ ways, seconds }) => ways >= 1 && ways <= geometry.ways && Number.isFinite(seconds) && seconds > 0,
  );
  const full = points.at(-1);
  if (points.length < 2 || full === undefined) return null;
  const relative = points.map(({ ways, seconds }) => ({ ways, level: seconds / full.seconds }));
  const slowdown = Array.from({ length: geometry.ways }, (_, index) => levelAt(relative, index + 1));
  const lastTooSlow = slowdown.findLastIndex((value) => !isWithin(value));
  return {
    slowdown,
    measured: points.map(({ ways }) => ways),
    oracle: Math.min(geometry.ways, lastTooSlow + 2),
  };
}

export const isWithin = (slowdown: number): boolean => slowdown <= DEFAULT_MAX_SLOWDOWN + EPSILON;

/** On a straight line between points, beyond them the outermost. */
export function levelAt(
  points: readonly { readonly ways: number; readonly level: number }[],
  ways: number,
): number {
  const above = points.findIndex((point) => point.ways >= ways);
  const upper = points[above];
  const lower = points[above - 1];
  if (upper === undefined) return points.at(-1)?.level ?? 1;
  if (lower === undefined) return upper.level;
  return lower.level + ((upper.level - lower.level) * (ways - lower.ways)) / (upper.ways - lower.ways);
}

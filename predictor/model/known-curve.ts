/** One measured curve, in ways of the cache that is asked about. Pure. */
import { mean } from '../../protocols/schema/statistics.ts';
import { type CacheGeometry, type MeasuredCurve, seesCache } from '../types.ts';

/**
 * What is said of a number of ways, in log slowdown: on the straight line between measured points, and by the nearest
 * on either side.
 */
export interface Level {
  readonly middle: number;
  /** Of the nearest measured point with at least so many ways: with fewer it is no faster. */
  readonly low: number;
  /** Of the nearest measured point with at most so many ways. */
  readonly high: number;
  /**
   * The straight line through the two nearest points with fewer ways, and through those with more; within `low` and
   * `high`.
   */
  readonly fromLeft: number;
  readonly fromRight: number;
}

/** Nobody measured fewer ways: the slowdown there may be so many times as much, in log. */
const UNMEASURED = 1;

export class KnownCurve {
  /** At least 1. */
  readonly inputSize: number;
  /** Seconds with all ways; with the most that were measured where that is fewer. */
  readonly fullSeconds: number;
  /** Rising; of ways of the cache asked about, so that they may be fractions. */
  readonly ways: readonly number[];
  /** Log slowdown at `ways`; never rises. */
  readonly levels: readonly number[];
  /** Whether its times depend on the ways at all. */
  readonly seesCache: boolean;
  readonly weight: number;
  readonly #times: readonly number[];

  private constructor(
    curve: MeasuredCurve,
    points: readonly { readonly ways: number; readonly seconds: number }[],
    geometry: CacheGeometry,
  ) {
    this.inputSize = Math.max(1, curve.inputSize);
    this.seesCache = seesCache(curve);
    this.weight = curve.weight ?? 1;
    this.ways = points.map((point) => point.ways);
    const seconds = fallingFit(points.map((point) => point.seconds));
    this.fullSeconds = interpolate(this.ways, seconds, geometry.ways);
    this.#times = seconds.map((value) => value / this.fullSeconds);
    this.levels = this.#times.map(Math.log);
  }

  /** Null when nothing in it can be used. Times that don't depend on the ways are one point at all of them. */
  static of(curve: MeasuredCurve, geometry: CacheGeometry): KnownCurve | null {
    if (!isPositive(curve.wayBytes) || !(curve.inputSize >= 0 && curve.inputSize <= Number.MAX_SAFE_INTEGER))
      return null;
    const byWays = new Map<number, number[]>();
    for (const { ways, seconds } of curve.points) {
      const at = seesCache(curve) ? (ways * curve.wayBytes) / geometry.wayBytes : geometry.ways;
      const usable = seconds.filter(isPositive);
      if (isPositive(at) && usable.length > 0) byWays.set(at, [...(byWays.get(at) ?? []), ...usable]);
    }
    if (byWays.size === 0) return null;
    const points = [...byWays]
      .map(([ways, samples]) => ({ ways, seconds: mean(samples) }))
      .sort((left, right) => left.ways - right.ways);
    return new KnownCurve(curve, points, geometry);
  }

  /** @param ways positive; any number */
  at(ways: number): Level {
    const { levels } = this;
    const last = levels.length - 1;
    const right = this.ways.findIndex((each) => each >= ways);
    if (right < 0) return flat(levels[last] ?? 0);
    if (this.ways[right] === ways) return flat(levels[right] ?? 0);
    const low = levels[right] ?? 0;
    if (right === 0) {
      const high = low + UNMEASURED;
      return { middle: low, low, high, fromLeft: high, fromRight: this.#along(0, 1, ways, low, high) };
    }
    const high = levels[right - 1] ?? 0;
    const from = this.ways[right - 1] ?? 0;
    const share = (ways - from) / ((this.ways[right] ?? 0) - from);
    return {
      middle: high + share * (low - high),
      low,
      high,
      fromLeft: right >= 2 ? this.#along(right - 1, right - 2, ways, low, high) : high,
      fromRight: right < last ? this.#along(right, right + 1, ways, low, high) : low,
    };
  }

  /** On the line of times through two measured points, `near` being the nearer. */
  #along(near: number, far: number, ways: number, low: number, high: number): number {
    const time = this.#times[near];
    const farTime = this.#times[far];
    if (time === undefined || farTime === undefined) return low;
    const slope = (time - farTime) / ((this.ways[near] ?? 0) - (this.ways[far] ?? 0));
    const level = Math.log(Math.max(1e-9, time + slope * (ways - (this.ways[near] ?? 0))));
    return Math.min(high, Math.max(low, level));
  }

  /** The fewest measured ways whose slowdown stays within `slowdown`. */
  knee(slowdown: number): number {
    const index = this.levels.findIndex((level) => level <= Math.log(slowdown));
    return this.ways[index] ?? this.ways.at(-1) ?? 1;
  }
}

const flat = (level: number): Level => ({
  middle: level,
  low: level,
  high: level,
  fromLeft: level,
  fromRight: level,
});

/** And neither so small nor so large that quotients of two of them would lose their meaning. */
const isPositive = (value: number): boolean => value >= 1e-12 && value <= 1e18;

/** The nearest sequence that never rises (pool adjacent violators: Ayer et al., 1955). */
function fallingFit(values: readonly number[]): number[] {
  const pools: { sum: number; count: number }[] = [];
  for (const value of values) {
    pools.push({ sum: value, count: 1 });
    for (;;) {
      const [before, last] = pools.slice(-2);
      if (before === undefined || last === undefined) break;
      if (last.sum / last.count <= before.sum / before.count) break;
      pools.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count });
    }
  }
  return pools.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
}

/** Outside of the points the nearest one. */
function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  const right = xs.findIndex((each) => each >= x);
  if (right < 0) return ys.at(-1) ?? 0;
  const to = ys[right] ?? 0;
  const from = ys[right - 1];
  if (from === undefined) return to;
  const start = xs[right - 1] ?? 0;
  const share = (x - start) / ((xs[right] ?? 0) - start);
  // Not `from + share * (to - from)`: a small `to` would be lost beside a large `from`.
  return (1 - share) * from + share * to;
}

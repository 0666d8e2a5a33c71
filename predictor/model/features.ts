/**
 * What the network is told of a question: for each number of ways a row. A curve at another input size is shown shifted
 * along the bytes of cache as if the working set grew with the size to the power of 0, 1/2, 1, ...; the network learns
 * which one to believe, from how many bytes there are for a unit of input. Only ratios of times count: seconds of a
 * simulated cache are none of any machine. Pure.
 */
import type { CacheGeometry, MeasuredCurve } from '../types.ts';
import { KnownCurve } from './known-curve.ts';
import type { Matrix } from './network.ts';

/** Changes whenever the columns do, so that weights for others are refused. */
export const FEATURE_VERSION = 1;

const POWERS = [0, 0.5, 1, 1.5, 2, 3];
const LINE_POWERS = [0, 1, 2];
/** Columns of one curve at all powers. */
const SHIFTED = 3 * POWERS.length;
const SECOND_ONLY = SHIFTED + POWERS.length + 2;
export const FEATURE_COUNT = SHIFTED + SECOND_ONLY + 10 + 3 + 2 + 2 * LINE_POWERS.length;

/** The curves that speak for a question: the nearest input size, and the next one. */
export interface Witnesses {
  readonly first: KnownCurve;
  readonly second: KnownCurve | null;
}

/**
 * The best curve of the nearest input size (by ratio), and of the next nearest; rather one on the other side of the
 * size asked for, since between two sizes is better known than beyond them. Null when there is none.
 */
export function chooseWitnesses(
  known: readonly MeasuredCurve[],
  inputSize: number,
  geometry: CacheGeometry,
): Witnesses | null {
  const best = new Map<number, KnownCurve>();
  for (const curve of known) {
    const candidate = KnownCurve.of(curve, geometry);
    if (candidate === null) continue;
    const other = best.get(candidate.inputSize);
    if (other === undefined || merit(candidate) > merit(other)) best.set(candidate.inputSize, candidate);
  }
  const size = Math.max(1, inputSize);
  const distance = (curve: KnownCurve): number => Math.abs(Math.log(curve.inputSize / size));
  // A curve that says nothing of cache is no rival of one that does.
  const [first, ...others] = [...best.values()].sort(
    (left, right) =>
      Number(right.seesCache) - Number(left.seesCache) ||
      distance(left) - distance(right) ||
      left.inputSize - right.inputSize,
  );
  if (first === undefined) return null;
  const seeing = others.filter((curve) => curve.seesCache);
  const across = seeing.find((curve) => (curve.inputSize - size) * (first.inputSize - size) < 0);
  return { first, second: across ?? seeing[0] ?? null };
}

const merit = ({ seesCache, weight, ways }: KnownCurve): number =>
  (seesCache ? 1000 : 0) + 100 * weight + Math.min(99, ways.length);

/** A row for each of 1..ways - 1 ways. */
export function featuresOf({ first, second }: Witnesses, inputSize: number, geometry: CacheGeometry): Matrix {
  const { ways: all } = geometry;
  const rows = all - 1;
  const size = Math.max(1, inputSize);
  const ratio = size / first.inputSize;
  const values = new Float32Array(rows * FEATURE_COUNT);
  const shared = sharedFeatures(first, size, geometry);
  const mismatch = second === null ? [] : mismatches(first, second, all);
  const knee = Math.log2(first.knee(1.05) / all);
  for (let row = 0; row < rows; row++) {
    const ways = row + 1;
    const columns: number[] = shifted(first, ratio, ways, all);
    if (second === null) {
      for (let i = 0; i < SECOND_ONLY; i++) columns.push(0);
    } else {
      const step = second.inputSize / first.inputSize;
      columns.push(...shifted(second, size / second.inputSize, ways, all), ...mismatch);
      columns.push(1, clamp(Math.log2(step), -6, 6));
    }
    const share = Math.log2(ways / all);
    columns.push(...shared, knee, share, share - knee);
    columns.push(...gaps(first, ways, all), ...lines(first, ratio, ways, all));
    values.set(columns, row * FEATURE_COUNT);
  }
  return { rows, columns: FEATURE_COUNT, values };

  /** Also what tells a number of elements from the side of a matrix: bytes for a unit of input, and for its square. */
  function sharedFeatures(curve: KnownCurve, asked: number, cache: CacheGeometry): number[] {
    const steps = clamp(Math.log2(ratio), -8, 8);
    const bytes = Math.log2(cache.ways * cache.wayBytes);
    const kneeBytes = Math.log2(curve.knee(1.05) * cache.wayBytes);
    const units = Math.log2(curve.inputSize);
    return [
      steps,
      Math.abs(steps),
      (bytes - units) / 8,
      (bytes - 2 * units) / 8,
      (bytes - Math.log2(asked)) / 8,
      (kneeBytes - units) / 8,
      (kneeBytes - 2 * units) / 8,
      curve.inputSize === asked ? 1 : 0,
      curve.ways.length / 16,
      loudness(curve.levels[0] ?? 0),
    ];
  }
}

/** Small slowdowns decide, so they are spread out: 5 % is ln 2. */
const loudness = (level: number): number => Math.log1p(Math.max(0, level) / 0.05);

function shifted(curve: KnownCurve, ratio: number, ways: number, all: number): number[] {
  return POWERS.flatMap((power) => {
    const shift = ratio ** -power;
    const full = curve.at(all * shift).middle;
    const { middle, low, high } = curve.at(ways * shift);
    return [loudness(middle - full), loudness(low - full), loudness(high - full)];
  });
}

/** How badly the first curve, shifted to the size of the second, agrees with it. */
function mismatches(first: KnownCurve, second: KnownCurve, all: number): number[] {
  const step = second.inputSize / first.inputSize;
  return POWERS.map((power) => {
    const shift = step ** -power;
    const full = first.at(all * shift).middle;
    let sum = 0;
    for (let ways = 1; ways < all; ways++) {
      const expected = loudness(first.at(ways * shift).middle - full);
      sum += Math.abs(expected - loudness(second.at(ways).middle));
    }
    return sum / (all - 1);
  });
}

/** To the nearest measured points, in shares of the cache. */
function gaps({ ways: measured }: KnownCurve, ways: number, all: number): number[] {
  const right = measured.find((each) => each >= ways) ?? measured.at(-1) ?? ways;
  const left = measured.findLast((each) => each <= ways) ?? measured[0] ?? ways;
  return [Math.abs(right - ways) / all, Math.abs(ways - left) / all];
}

function lines(curve: KnownCurve, ratio: number, ways: number, all: number): number[] {
  return LINE_POWERS.flatMap((power) => {
    const shift = ratio ** -power;
    const full = curve.at(all * shift).middle;
    const { fromLeft, fromRight } = curve.at(ways * shift);
    return [loudness(fromLeft - full), loudness(fromRight - full)];
  });
}

const clamp = (value: number, low: number, high: number): number =>
  Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : 0;

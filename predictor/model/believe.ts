/** From what the network says to a prediction that agrees with what was measured and with what cache can do. Pure. */
import { expectedAbove, quantileOf, type SlowdownTail } from '../slowdown-tail.ts';
import type { Prediction, Quantile } from '../types.ts';
import type { KnownCurve } from './known-curve.ts';

const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95];
/** Faded by a change of behaviour: no fact any more. */
const FACT_WEIGHT = 0.5;

/**
 * @param probabilities of exceeding each threshold, for 1..ways - 1 ways, row by row
 * @param measured at the input size asked for; null when that was not measured
 */
export function believe(
  probabilities: Float32Array,
  thresholds: readonly number[],
  measured: KnownCurve | null,
): Pick<Prediction, 'slowdown' | 'quantiles' | 'tail'> {
  const facts = measured?.seesCache && measured.weight >= FACT_WEIGHT ? measured : null;
  const tail = toTail(probabilities, thresholds, facts);
  const all = tail.exceeds.length;
  const within = (slowdown: number, ways: number): number => {
    if (facts === null || ways === all) return slowdown;
    const { low, high } = facts.at(ways);
    // Nobody measured fewer ways than the first point: there is no upper bound there.
    const top = ways < (facts.ways[0] ?? 1) ? slowdown : Math.exp(high);
    return Math.max(1, Math.exp(low), Math.min(top, slowdown));
  };
  const curve = (read: (exceeds: readonly number[]) => number): number[] =>
    falling(tail.exceeds.map((exceeds, i) => within(read(exceeds), i + 1)));
  const quantiles = LEVELS.map((level): Quantile => {
    return { level, slowdown: curve((exceeds) => quantileOf(thresholds, exceeds, level)) };
  });
  return { slowdown: curve((exceeds) => 1 + expectedAbove(thresholds, exceeds, 1)), quantiles, tail };
}

function toTail(
  probabilities: Float32Array,
  thresholds: readonly number[],
  facts: KnownCurve | null,
): SlowdownTail {
  const rows = probabilities.length / thresholds.length;
  const exceeds: number[][] = [];
  for (let row = 0; row < rows; row++) {
    const level = facts?.at(row + 1);
    const bounded = facts !== null && row + 1 >= (facts.ways[0] ?? 1);
    let least = 1;
    const line = thresholds.map((threshold, column) => {
      const log = Math.log(threshold);
      let value = probabilities[row * thresholds.length + column] ?? 0;
      if (!Number.isFinite(value)) value = 1;
      if (level !== undefined && level.low > log) value = 1;
      else if (level !== undefined && bounded && level.high <= log) value = 0;
      // More cache never hurts, and a higher threshold is never exceeded more often.
      least = Math.min(least, value, exceeds[row - 1]?.[column] ?? 1);
      return least;
    });
    exceeds.push(line);
  }
  exceeds.push(thresholds.map(() => 0));
  return { thresholds, exceeds };
}

function falling(values: readonly number[]): number[] {
  let least = Number.POSITIVE_INFINITY;
  return values.map((value) => {
    least = Math.min(least, value);
    return least;
  });
}

/** From a predicted curve to a number of ways. Pure. */
import type { Prediction } from './types.ts';

/** Below so many free ways in the cluster generosity no longer shrinks (the original's constant). */
const SCARCE_WAYS = 20;
/** A run may take so much longer than with the full cache, when its request doesn't say. */
export const DEFAULT_MAX_SLOWDOWN = 1.05;
/** How sure it must be that the slowdown stays within what is allowed. */
export const DEFAULT_CONFIDENCE = 0.9;

/**
 * The slope at which more cache stops being worth it: slowdown per way, negative.
 * The original's formula, `-1 / (max(free, 20) / 2)`, read as *relative* time per way: with 20 free ways a
 * way must save 10 % of the function's own time, with 200 free ways 1 %.
 */
export function generosity(freeWays: number): number {
  return -1 / (Math.max(freeWays, SCARCE_WAYS) / 2);
}

export interface ChoiceOptions {
  /** At least 1. @default DEFAULT_MAX_SLOWDOWN */
  readonly maxSlowdown?: number;
  /** Slowdown per way, negative (see `generosity`). @default nothing beyond what is needed */
  readonly price?: number;
  /** Within (0, 1). @default DEFAULT_CONFIDENCE */
  readonly confidence?: number;
}

export interface WayChoice {
  readonly ways: number;
  /** The fewest ways that keep the slowdown within what is allowed. */
  readonly needed: number;
  /** Expected slowdown with `ways`. */
  readonly expected: number;
  /** That the slowdown is at most this is as sure as was asked for; equals `expected` where no uncertainty is known. */
  readonly atMost: number;
  /** One sentence for people. */
  readonly why: string;
}

/**
 * The fewest ways whose slowdown stays within the allowed one as surely as asked for; then as many more as bring, each of them,
 * at least what generosity asks for.
 * @param prediction of at least one way
 */
export function chooseWays(
  prediction: Pick<Prediction, 'slowdown' | 'quantiles'>,
  options: ChoiceOptions = {},
): WayChoice {
  const maxSlowdown = options.maxSlowdown ?? DEFAULT_MAX_SLOWDOWN;
  const price = options.price ?? Number.NEGATIVE_INFINITY;
  const { slowdown } = prediction;
  const careful = quantileCurve(prediction, options.confidence ?? DEFAULT_CONFIDENCE);
  const all = Math.max(1, slowdown.length);
  const found = careful.findIndex((value) => value <= maxSlowdown);
  const needed = found < 0 ? all : found + 1;
  const ways = stretch(slowdown, needed, price);
  const expected = slowdown[ways - 1] ?? 1;
  const atMost = careful[ways - 1] ?? expected;
  return { ways, needed, expected, atMost, why: explain({ ways, needed, all, maxSlowdown, price, atMost }) };
}

/**
 * The slowdown that is not exceeded with probability `level`, for 1..n ways: between two known quantiles on a straight line,
 * beyond the outermost the outermost. The expected curve where no quantiles are known.
 */
export function quantileCurve(
  { slowdown, quantiles }: Pick<Prediction, 'slowdown' | 'quantiles'>,
  level: number,
): readonly number[] {
  const above = quantiles.findIndex((each) => each.level >= level);
  const upper = quantiles[above] ?? quantiles.at(-1);
  const lower = quantiles[above - 1];
  if (upper === undefined) return slowdown;
  if (lower === undefined || above < 0) return upper.slowdown;
  const share = (level - lower.level) / (upper.level - lower.level);
  return upper.slowdown.map((high, way) => {
    const low = lower.slowdown[way] ?? high;
    return low + share * (high - low);
  });
}

/** More ways as long as the best further stretch of them saves at least the price for each. */
function stretch(slowdown: readonly number[], needed: number, price: number): number {
  let ways = needed;
  for (;;) {
    let next = ways;
    for (let more = ways + 1; more <= slowdown.length; more++) {
      const slope = ((slowdown[more - 1] ?? 1) - (slowdown[ways - 1] ?? 1)) / (more - ways);
      if (slope <= price) next = more;
    }
    if (next === ways) return ways;
    ways = next;
  }
}

function explain(choice: {
  readonly ways: number;
  readonly needed: number;
  readonly all: number;
  readonly maxSlowdown: number;
  readonly price: number;
  readonly atMost: number;
}): string {
  const { ways, needed, all, maxSlowdown, price, atMost } = choice;
  const allowed = `${percent(maxSlowdown - 1)} slowdown`;
  if (needed === all && atMost > maxSlowdown)
    return `no number of ways is sure to stay within ${allowed}: all ${all}`;
  const least = `${needed} of ${all} ways are the fewest that surely stay within ${allowed}`;
  if (ways === needed) return least;
  return `${least}; ${ways - needed} more each save at least ${percent(-price)} of its time, and the cluster has free ways`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

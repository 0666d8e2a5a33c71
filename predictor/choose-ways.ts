/** From a predicted curve to a number of ways. Pure. */
import { expectedAbove, probabilityAbove } from './slowdown-tail.ts';
import type { Prediction } from './types.ts';

/** Below so many free ways in the cluster generosity no longer shrinks (the original's constant). */
const SCARCE_WAYS = 20;
/** A run may take so much longer than with the full cache, when its request doesn't say. */
export const DEFAULT_MAX_SLOWDOWN = 1.05;
/** How sure `atMost` is. */
export const DEFAULT_CONFIDENCE = 0.9;
/**
 * What is risked against what is spent, both in shares of the cache: a run that is slower than allowed is as bad as so
 * many caches, and as many again for each time its own length beyond. Above 1, so that what is certain to be too slow
 * is never taken.
 */
export const DEFAULT_RISK = 1.25;
const EXCESS_RISK = 1.25;

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
  /** Above 1; see `DEFAULT_RISK`. @default DEFAULT_RISK */
  readonly risk?: number;
  /** Of `atMost`, within (0, 1). @default DEFAULT_CONFIDENCE */
  readonly confidence?: number;
}

export interface WayChoice {
  readonly ways: number;
  /** What it takes to stay within the allowed slowdown, as far as can be told. */
  readonly needed: number;
  /** Expected slowdown with `ways`. */
  readonly expected: number;
  /** With probability `confidence` the slowdown is at most this; `expected` where no uncertainty is known. */
  readonly atMost: number;
  /** Probability that the slowdown with `ways` is more than allowed; 0 or 1 where no uncertainty is known. */
  readonly risk: number;
  /** One sentence for people. */
  readonly why: string;
}

type Believed = Pick<Prediction, 'slowdown' | 'quantiles'> & Partial<Pick<Prediction, 'tail'>>;

/**
 * The ways that stay within the allowed slowdown: of a curve that is certain the fewest, of an uncertain one those
 * whose share of the cache and risk of being too slow are least together. Then as many more as bring, each of them, at
 * least what generosity asks for.
 * @param prediction of at least one way
 */
export function chooseWays(prediction: Believed, options: ChoiceOptions = {}): WayChoice {
  const maxSlowdown = options.maxSlowdown ?? DEFAULT_MAX_SLOWDOWN;
  const price = options.price ?? Number.NEGATIVE_INFINITY;
  const { slowdown } = prediction;
  const all = Math.max(1, slowdown.length);
  const needed = leastCost(prediction, maxSlowdown, options.risk ?? DEFAULT_RISK);
  const ways = stretch(slowdown, needed, price);
  const expected = slowdown[ways - 1] ?? 1;
  const atMost = quantileCurve(prediction, options.confidence ?? DEFAULT_CONFIDENCE)[ways - 1] ?? expected;
  const risk = exceedings(prediction, maxSlowdown)[ways - 1] ?? 0;
  return {
    ways,
    needed,
    expected,
    atMost,
    risk,
    why: explain({ ways, needed, all, maxSlowdown, price, risk }),
  };
}

/** Probability that the slowdown exceeds `maxSlowdown`, for 1..n ways. */
export function exceedings({ slowdown, tail }: Believed, maxSlowdown: number): number[] {
  if (tail == null) return slowdown.map((value) => (value <= maxSlowdown ? 0 : 1));
  return tail.exceeds.map((exceeds) => probabilityAbove(tail.thresholds, exceeds, maxSlowdown));
}

/**
 * The slowdown that is not exceeded with probability `level`, for 1..n ways: between two known quantiles on a straight
 * line, beyond the outermost the outermost. The expected curve where no quantiles are known.
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

/** @returns from 1 to all; all when nothing else will do */
function leastCost(prediction: Believed, maxSlowdown: number, risk: number): number {
  const { slowdown, tail } = prediction;
  const all = Math.max(1, slowdown.length);
  let best = { ways: all, cost: 1 };
  for (const [i, probability] of exceedings(prediction, maxSlowdown).entries()) {
    const beyond =
      tail == null
        ? Math.max(0, (slowdown[i] ?? 1) - maxSlowdown)
        : expectedAbove(tail.thresholds, tail.exceeds[i] ?? [], maxSlowdown);
    const cost = (i + 1) / all + risk * probability + EXCESS_RISK * beyond;
    if (cost < best.cost - 1e-9) best = { ways: i + 1, cost };
  }
  return best.ways;
}

/** More ways as long as the steepest further stretch of the curve saves at least the price for each of them. */
function stretch(slowdown: readonly number[], needed: number, price: number): number {
  for (let ways = needed; ; ) {
    let steepest = { ways, slope: 0 };
    for (let more = ways + 1; more <= slowdown.length; more++) {
      const slope = ((slowdown[more - 1] ?? 1) - (slowdown[ways - 1] ?? 1)) / (more - ways);
      if (slope < steepest.slope) steepest = { ways: more, slope };
    }
    if (steepest.ways === ways || steepest.slope > price) return ways;
    ways = steepest.ways;
  }
}

function explain(choice: {
  readonly ways: number;
  readonly needed: number;
  readonly all: number;
  readonly maxSlowdown: number;
  readonly price: number;
  readonly risk: number;
}): string {
  const { ways, needed, all, maxSlowdown, price, risk } = choice;
  const sure = risk < 0.005 ? '' : ` (${percent(risk)} likely not)`;
  const least = `${needed} of ${all} ways stay within ${percent(maxSlowdown - 1)} of the full cache${sure}`;
  if (ways === needed) return least;
  const more = ways - needed;
  return `${least}; ${more} more ${more === 1 ? 'saves' : 'save'} at least ${percent(-price)} of its time each, and the cluster has free ways`;
}

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

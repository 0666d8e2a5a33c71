/**
 * What is believed of a slowdown: for each number of ways how likely it exceeds each of some thresholds. Between
 * thresholds probabilities lie on straight lines. Pure.
 */

export interface SlowdownTail {
  /** Rising, above 1. */
  readonly thresholds: readonly number[];
  /** By ways (from 1; the last is all of them), then by threshold: never rising either way. */
  readonly exceeds: readonly (readonly number[])[];
}

/** Probability that the slowdown exceeds `slowdown` (at least 1). */
export function probabilityAbove(
  thresholds: readonly number[],
  exceeds: readonly number[],
  slowdown: number,
): number {
  const right = thresholds.findIndex((threshold) => threshold >= slowdown);
  if (right < 0) return exceeds.at(-1) ?? 0;
  const to = exceeds[right] ?? 0;
  if (right === 0) return to;
  const from = exceeds[right - 1] ?? 0;
  const start = thresholds[right - 1] ?? 1;
  return from + ((slowdown - start) / ((thresholds[right] ?? 1) - start)) * (to - from);
}

/** Expected slowdown beyond `slowdown`: the area under what is above it. */
export function expectedAbove(
  thresholds: readonly number[],
  exceeds: readonly number[],
  slowdown: number,
): number {
  let area = 0;
  let at = slowdown;
  let height = probabilityAbove(thresholds, exceeds, slowdown);
  for (const [i, threshold] of thresholds.entries()) {
    if (threshold <= at) continue;
    const next = exceeds[i] ?? 0;
    area += ((height + next) / 2) * (threshold - at);
    at = threshold;
    height = next;
  }
  return area;
}

/**
 * The slowdown that is exceeded with probability `1 - level`; the last threshold when even that is exceeded more often.
 */
export function quantileOf(thresholds: readonly number[], exceeds: readonly number[], level: number): number {
  const allowed = 1 - level;
  let before = 1;
  // Below the first threshold nothing is told apart: the slowdown is about 1.
  let height = Math.max(allowed, exceeds[0] ?? 0);
  for (const [i, threshold] of thresholds.entries()) {
    const next = exceeds[i] ?? 0;
    if (next <= allowed) {
      if (i === 0) return 1;
      const share = height > next ? (height - allowed) / (height - next) : 1;
      return before + share * (threshold - before);
    }
    before = threshold;
    height = next;
  }
  return before;
}

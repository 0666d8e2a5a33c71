/** From a predicted curve to a number of ways. */

/** Below so many free ways in the cluster generosity no longer shrinks (the original's constant). */
const SCARCE_WAYS = 20;

/**
 * The slope at which more cache stops being worth it: slowdown per way, negative.
 * The original's formula, `-1 / (max(free, 20) / 2)`, read as *relative* time per way: with 20 free ways a
 * way must save 10 % of the function's own time, with 200 free ways 1 %.
 */
export function generosity(freeWays: number): number {
  return -1 / (Math.max(freeWays, SCARCE_WAYS) / 2);
}

/**
 * The fewest ways from which one more saves no more than the generosity asks for.
 * @param slowdown for 1..n ways, not rising, at least one element
 * @param price slowdown per way, negative (see `generosity`)
 * @returns 1..n
 */
export function chooseWays(slowdown: readonly number[], price: number): number {
  for (let ways = 1; ways < slowdown.length; ways += 1) {
    const slope = (slowdown[ways] ?? 1) - (slowdown[ways - 1] ?? 1);
    if (slope >= price) return ways;
  }
  return Math.max(1, slowdown.length);
}

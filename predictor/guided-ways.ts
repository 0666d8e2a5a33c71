/** Which way count a benchmark that may stop early measures next, so that the choice of ways gets as good as it can. Pure. */
import { DEFAULT_MAX_SLOWDOWN, DEFAULT_RISK, exceedings } from './choose-ways.ts';
import type { Prediction } from './types.ts';

/** What is as good as certain is not worth an execution. */
const CERTAIN = 0.001;

/**
 * Each candidate either keeps the slowdown or not; more cache never hurts, so either answer settles one side of it. The one
 * after which the choice costs least on average is measured: with an uncertain model that is bisection, with a sure one it is faster.
 * @param measured way counts that are known already
 * @returns null when no execution would change the choice
 */
export function guidedWays(
  prediction: Pick<Prediction, 'slowdown' | 'quantiles' | 'tail'>,
  measured: ReadonlySet<number>,
  maxSlowdown: number = DEFAULT_MAX_SLOWDOWN,
): number | null {
  const risks = exceedings(prediction, maxSlowdown);
  const all = risks.length;
  const cost = (riskOf: (ways: number) => number): number =>
    Math.min(...risks.map((_, i) => (i + 1) / all + DEFAULT_RISK * riskOf(i + 1)));
  const riskAt = (ways: number): number => risks[ways - 1] ?? 0;
  let best: { readonly ways: number; readonly cost: number } | null = null;
  for (let ways = 1; ways < all; ways++) {
    const fails = riskAt(ways);
    if (measured.has(ways) || fails < CERTAIN || fails > 1 - CERTAIN) continue;
    const ifKept = cost((each) => (each < ways ? Math.max(0, riskAt(each) - fails) / (1 - fails) : 0));
    const ifBroken = cost((each) => (each <= ways ? 1 : Math.min(1, riskAt(each) / fails)));
    const expected = (1 - fails) * ifKept + fails * ifBroken;
    if (best === null || expected < best.cost - 1e-9) best = { ways, cost: expected };
  }
  return best?.ways ?? null;
}

/**
 * Which way count a benchmark that may stop early measures next, so that the choice of ways gets as good as it can.
 * Pure.
 */
import { DEFAULT_MAX_SLOWDOWN, DEFAULT_RISK, exceedings } from './choose-ways.ts';
import type { Prediction } from './types.ts';

/** What is so certain is not worth an execution. */
const CERTAIN = 1e-4;

export interface GuideOptions {
  /** Of the benchmark, this one included. */
  readonly executionsLeft: number;
  /** @default DEFAULT_MAX_SLOWDOWN */
  readonly maxSlowdown?: number;
}

/**
 * A candidate either keeps the slowdown or not; more cache never hurts, so either answer settles one side of it. While
 * the executions that are left suffice to settle everything by halves they are spent so that they do; else the
 * candidate is measured after which the choice costs least on average.
 * @param measured way counts that are known already
 * @returns null when no execution would change the choice
 */
export function guidedWays(
  prediction: Pick<Prediction, 'slowdown' | 'quantiles' | 'tail'>,
  measured: ReadonlySet<number>,
  { executionsLeft, maxSlowdown = DEFAULT_MAX_SLOWDOWN }: GuideOptions,
): number | null {
  const risks = exceedings(prediction, maxSlowdown);
  const open = risks.flatMap((risk, i) => {
    const uncertain = risk > CERTAIN && risk < 1 - CERTAIN;
    return uncertain && i + 1 < risks.length && !measured.has(i + 1) ? [i + 1] : [];
  });
  // Beyond these it is settled: one is surely too few, the other surely enough.
  const below = risks.findLastIndex((risk) => risk >= 1) + 1;
  const above = risks.findIndex((risk) => risk <= 0) + 1;
  const settles = (ways: number): boolean =>
    Math.max(ways - below, above - ways) <= 2 ** (executionsLeft - 1);
  const settling = open.filter(settles);
  return cheapest(settling.length > 0 ? settling : open, risks);
}

function cheapest(candidates: readonly number[], risks: readonly number[]): number | null {
  const all = risks.length;
  const riskAt = (ways: number): number => risks[ways - 1] ?? 0;
  const cost = (riskOf: (ways: number) => number): number =>
    Math.min(...risks.map((_, i) => (i + 1) / all + DEFAULT_RISK * riskOf(i + 1)));
  let best: { readonly ways: number; readonly cost: number } | null = null;
  for (const ways of candidates) {
    const fails = riskAt(ways);
    const ifKept = cost((each) => (each < ways ? Math.max(0, riskAt(each) - fails) / (1 - fails) : 0));
    const ifBroken = cost((each) => (each <= ways ? 1 : Math.min(1, riskAt(each) / fails)));
    const expected = (1 - fails) * ifKept + fails * ifBroken;
    if (best === null || expected < best.cost - 1e-9) best = { ways, cost: expected };
  }
  return best?.ways ?? null;
}

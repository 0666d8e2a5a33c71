/** Figures of many verdicts. Pure. */

import { randomFrom } from '../random.ts';
import type { Verdict } from './judge.ts';

/** With its 95 % confidence interval, by bootstrap over functions: questions about one function are not independent. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface Summary {
  readonly questions: number;
  readonly functions: number;
  /** |predicted - true| / true of the slowdown over all way counts measured; null without curves. */
  readonly error: Estimate | null;
  readonly errorP95: number | null;
  /** |chosen - the oracle's|, mean. */
  readonly errorWays: Estimate;
  /** Slowdown above that of the oracle's choice, mean; 0.01 is 1 % of the time with the full cache. */
  readonly regret: Estimate;
  /** Share of choices within 5 % of the full cache. */
  readonly within: Estimate;
  /** All ways chosen by all ways that the oracle chose. */
  readonly waysRatio: Estimate;
  /** Mean of the ratios of single choices. */
  readonly meanWaysRatio: Estimate;
  /** Benchmark executions a question, mean; null for the oracle, which needs none and all. */
  readonly executions: number | null;
  /** Median of a prediction, warm; null where no clock was given. */
  readonly microseconds: number | null;
  /** Share of true slowdowns in the band from 5 % to 95 %; null without a band. */
  readonly coverage: { readonly all: number; readonly wide: number | null } | null;
}

export interface Asked extends Verdict {
  readonly name: string;
  readonly executions: number | null;
  readonly microseconds: number | null;
}

interface Sums {
  questions: number;
  errors: number;
  errorCount: number;
  errorWays: number;
  regret: number;
  within: number;
  ways: number;
  oracleWays: number;
  ratios: number;
}

const METRICS = {
  error: (sums) => sums.errors / sums.errorCount,
  errorWays: (sums) => sums.errorWays / sums.questions,
  regret: (sums) => sums.regret / sums.questions,
  within: (sums) => sums.within / sums.questions,
  waysRatio: (sums) => sums.ways / sums.oracleWays,
  meanWaysRatio: (sums) => sums.ratios / sums.questions,
} as const satisfies Record<string, (sums: Sums) => number>;

/** @param asked at least one */
export function summarise(
  asked: readonly Asked[],
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): Summary {
  const byFunction = [...Map.groupBy(asked, ({ name }) => name).values()].map((each) =>
    each.reduce(add, zero()),
  );
  const total = byFunction.reduce(merge, zero());
  const samples = resample(byFunction, seed, resamples);
  const estimate = (metric: (sums: Sums) => number): Estimate => {
    const values = samples.map(metric).sort((left, right) => left - right);
    const value = metric(total);
    return { value, low: quantile(values, 0.025) ?? value, high: quantile(values, 0.975) ?? value };
  };
  const known = asked.map(({ executions }) => executions).filter((count) => count !== null);
  return {
    questions: total.questions,
    functions: byFunction.length,
    error: total.errorCount === 0 ? null : estimate(METRICS.error),
    errorP95: quantile(sorted(asked.flatMap(({ errors }) => errors)), 0.95),
    errorWays: estimate(METRICS.errorWays),
    regret: estimate(METRICS.regret),
    within: estimate(METRICS.within),
    waysRatio: estimate(METRICS.waysRatio),
    meanWaysRatio: estimate(METRICS.meanWaysRatio),
    executions: known.length === 0 ? null : known.reduce((sum, count) => sum + count, 0) / known.length,
    microseconds: quantile(
      sorted(asked.map((each) => each.microseconds).filter((each) => each !== null)),
      0.5,
    ),
    coverage: coverageOf(asked),
  };
}

const zero = (): Sums => ({
  questions: 0,
  errors: 0,
  errorCount: 0,
  errorWays: 0,
  regret: 0,
  within: 0,
  ways: 0,
  oracleWays: 0,
  ratios: 0,
});

function add(sums: Sums, { errors, ways, oracle, regret, within }: Asked): Sums {
  return merge(sums, {
    questions: 1,
    errors: errors.reduce((sum, error) => sum + error, 0),
    errorCount: errors.length,
    errorWays: Math.abs(ways - oracle),
    regret,
    within: within ? 1 : 0,
    ways,
    oracleWays: oracle,
    ratios: ways / oracle,
  });
}

function merge(left: Sums, right: Sums): Sums {
  for (const key of Object.keys(left) as (keyof Sums)[]) left[key] += right[key];
  return left;
}

function resample(byFunction: readonly Sums[], seed: number, resamples: number): Sums[] {
  const random = randomFrom(seed);
  return Array.from({ length: resamples }, () => {
    const sums = zero();
    for (let i = 0; i < byFunction.length; i++) {
      merge(sums, byFunction[Math.floor(random() * byFunction.length)] as Sums);
    }
    return sums;
  });
}

function coverageOf(asked: readonly Asked[]): Summary['coverage'] {
  const bands = asked.map(({ band }) => band).filter((band) => band !== null);
  if (bands.length === 0) return null;
  const total = { all: 0, allCovered: 0, wide: 0, wideCovered: 0 };
  for (const band of bands) {
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += band[key];
  }
  return {
    all: total.allCovered / total.all,
    wide: total.wide === 0 ? null : total.wideCovered / total.wide,
  };
}

const sorted = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();

/** On a straight line between neighbours; null of nothing. */
function quantile(ascending: ArrayLike<number>, level: number): number | null {
  const position = level * (ascending.length - 1);
  const below = ascending[Math.floor(position)];
  const above = ascending[Math.ceil(position)];
  if (below === undefined || above === undefined) return null;
  return below + (above - below) * (position - Math.floor(position));
}

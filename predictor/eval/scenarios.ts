/** What is asked of a method. Pure. */
import type { CurveSet, FunctionCurve } from '../dataset/types.ts';
import { hash, randomFrom } from '../random.ts';
import type { Budget } from './sampling.ts';

const MODES = ['benchmarked', 'assisted-1', 'assisted-middle', 'assisted-2'] as const;

export interface Scenario {
  /**
   * `benchmarked`: the size asked was benchmarked; `assisted-1`: any one other size of the function was;
   * `assisted-middle`: that in the middle of its sizes was, as someone would choose it; `assisted-2`: two others were.
   */
  readonly mode: (typeof MODES)[number];
  /** Executions that the benchmark of one size may take. */
  readonly points: Budget;
}

const BUDGETS: readonly Budget[] = [2, 3, 5, 'all'];

export const SCENARIOS: readonly Scenario[] = MODES.flatMap((mode) =>
  BUDGETS.map((points) => ({ mode, points })),
);

export const QUICK_SCENARIOS: readonly Scenario[] = SCENARIOS.filter(
  ({ points }) => points === 3 || points === 'all',
);

/** One curve to predict, and those that may be benchmarked for it. */
export interface Case {
  readonly asked: FunctionCurve;
  readonly known: readonly FunctionCurve[];
}

/** In the order of `curves`: the same seed gives the same cases. */
export function casesOf(mode: Scenario['mode'], { curves }: CurveSet, seed: number): Case[] {
  if (mode === 'benchmarked') return curves.map((asked) => ({ asked, known: [asked] }));
  const byFunction = Map.groupBy(curves, ({ name }) => name);
  return curves.flatMap((asked) => {
    const others = (byFunction.get(asked.name) ?? []).filter((curve) => curve !== asked);
    if (mode === 'assisted-middle') {
      const middle = middleOf(byFunction.get(asked.name) ?? []);
      return middle === undefined || middle === asked ? [] : [{ asked, known: [middle] }];
    }
    if (mode === 'assisted-1') return others.map((known) => ({ asked, known: [known] }));
    return pairsFor(asked, others, seed).map((known) => ({ asked, known }));
  });
}

function middleOf(curves: readonly FunctionCurve[]): FunctionCurve | undefined {
  const bySize = curves.toSorted((left, right) => left.inputSize - right.inputSize);
  return bySize[Math.floor(bySize.length / 2)];
}

/** One pair around the size asked and one on one side of it, by chance; where there are none, others. */
function pairsFor(asked: FunctionCurve, others: readonly FunctionCurve[], seed: number): FunctionCurve[][] {
  const random = randomFrom(hash(seed, `${asked.name},${asked.inputSize}`));
  const pairs = others.flatMap((first, index) => others.slice(index + 1).map((second) => [first, second]));
  const isAround = (pair: readonly FunctionCurve[]): boolean =>
    pair.some(({ inputSize }) => inputSize < asked.inputSize) &&
    pair.some(({ inputSize }) => inputSize > asked.inputSize);
  const take = (from: readonly FunctionCurve[][]): FunctionCurve[] | undefined => {
    const pair = from[Math.floor(random() * from.length)];
    if (pair !== undefined) pairs.splice(pairs.indexOf(pair), 1);
    return pair;
  };
  const around = take(pairs.filter(isAround));
  const aside = take(pairs.filter((pair) => !isAround(pair)));
  return [around ?? take(pairs), aside ?? take(pairs)].filter((pair) => pair !== undefined);
}

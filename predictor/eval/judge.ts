/** One answer held against the truth. Pure. */
import { quantileCurve } from '../choose-ways.ts';
import type { Answer } from './method.ts';
import { isWithin, type Truth } from './truth.ts';

/** A band narrower than this is a statement, not an estimate. */
const POINT = 1e-9;

export interface Verdict {
  /** Of the predicted slowdown, as a share of the true one, at each number of ways measured; empty without a curve. */
  readonly errors: readonly number[];
  readonly ways: number;
  readonly oracle: number;
  /** Slowdown at the ways chosen above that at the oracle's; at least 0. */
  readonly regret: number;
  /** The slowdown at the ways chosen is within 5 % of the full cache. */
  readonly within: boolean;
  /**
   * Ways at which the truth lies in the band from 5 % to 95 %, of all measured and of those where it has a width; null
   * without a band.
   */
  readonly band: Band | null;
}

interface Band {
  readonly all: number;
  readonly allCovered: number;
  readonly wide: number;
  readonly wideCovered: number;
}

/** @throws Error for an answer that is none: that method is broken, and no figure of it is worth anything */
export function judge(answer: Answer, truth: Truth): Verdict {
  assertSound(answer, truth.slowdown.length);
  const trueAt = (ways: number): number => truth.slowdown[ways - 1] ?? 1;
  const { slowdown, ways } = answer;
  return {
    errors:
      slowdown === null ? [] : truth.measured.map((way) => relativeError(slowdown[way - 1], trueAt(way))),
    ways,
    oracle: truth.oracle,
    regret: Math.max(0, trueAt(ways) - trueAt(truth.oracle)),
    within: isWithin(trueAt(ways)),
    band: bandOf(answer, truth),
  };
}

const relativeError = (predicted = 1, actual = 1): number => Math.abs(predicted - actual) / actual;

function bandOf({ slowdown, quantiles }: Answer, truth: Truth): Band | null {
  if (slowdown === null || quantiles.length === 0) return null;
  const low = quantileCurve({ slowdown, quantiles }, 0.05);
  const high = quantileCurve({ slowdown, quantiles }, 0.95);
  const band = { all: 0, allCovered: 0, wide: 0, wideCovered: 0 };
  for (const way of truth.measured) {
    const [from = 1, to = 1, actual = 1] = [low[way - 1], high[way - 1], truth.slowdown[way - 1]];
    const covered = from <= actual + POINT && actual <= to + POINT ? 1 : 0;
    band.all += 1;
    band.allCovered += covered;
    if (to - from <= POINT) continue;
    band.wide += 1;
    band.wideCovered += covered;
  }
  return band;
}

function assertSound({ slowdown, quantiles, ways }: Answer, all: number): void {
  if (!Number.isInteger(ways) || ways < 1 || ways > all)
    throw new Error(`${ways} of ${all} ways were chosen`);
  for (const curve of [slowdown, ...quantiles.map((each) => each.slowdown)]) {
    if (curve === null) continue;
    if (curve.length !== all) throw new Error(`a curve has ${curve.length} values for ${all} ways`);
    const bad = curve.find((value) => !Number.isFinite(value) || value <= 0);
    if (bad !== undefined) throw new Error(`a curve has ${bad} in it`);
  }
}

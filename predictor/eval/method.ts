/**
 * What can be judged.
 *
 * method     a way to answer questions; some learn from curves of other functions first
 * question   what a cluster knows of one task, and the input size and cache that it asks about
 * answer     ways, and the curve that they were chosen by where the method has one
 * sampling   which way counts a method wants a benchmark to measure
 */
import type { CurveSet } from '../dataset/types.ts';
import type { CacheGeometry, MeasuredCurve, Quantile } from '../types.ts';

export interface Question {
  /** Of one task, by a deterministic profiler; none of them may have points. */
  readonly known: readonly MeasuredCurve[];
  readonly inputSize: number;
  readonly geometry: CacheGeometry;
}

export interface Answer {
  /** For 1..ways ways; null where the method chooses without a curve. */
  readonly slowdown: readonly number[] | null;
  /** Empty where the method knows no uncertainty. */
  readonly quantiles: readonly Quantile[];
  /** From 1 to all. */
  readonly ways: number;
}

export interface Sampling {
  /** A benchmark without a limit measures every number of ways, unasked. */
  readonly exhaustive: boolean;
  /**
   * The number of ways to measure next, or null when nothing more is worth an execution.
   * @param curve measured so far
   * @param budget executions that the whole benchmark may take
   */
  next(curve: MeasuredCurve, geometry: CacheGeometry, budget: number): number | null | Promise<number | null>;
}

export interface FitOptions {
  readonly seed: number;
  readonly signal: AbortSignal;
  /** The curves are all those that ship with the program, so weights that were trained on them may be taken instead. */
  readonly shipped: boolean;
}

export interface Fitted {
  readonly sampling: Sampling;
  predict(question: Question): Promise<Answer>;
  stop(): void | Promise<void>;
}

export interface Method {
  readonly name: string;
  /** How dear it is to fit: `light` is fitted anew for each function left out, `heavy` once a fold. */
  readonly training: 'none' | 'light' | 'heavy';
  fit(train: CurveSet, options: FitOptions): Promise<Fitted>;
}

/** A method that learns nothing beforehand. */
export function untrained(
  name: string,
  sampling: Sampling,
  answer: (question: Question) => Answer | Promise<Answer>,
): Method {
  return {
    name,
    training: 'none',
    fit: async () => ({ sampling, predict: async (question) => answer(question), stop: () => {} }),
  };
}

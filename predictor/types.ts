/**
 * What the predictor takes and gives.
 *
 * curve        seconds, or slowdown, by ways of cache
 * slowdown     time relative to that with the full cache of the geometry asked for; 1 is best
 * evidence     the measured curves of one task: benchmarks, and the times of its runs
 * band         between the quantiles 5 % and 95 % of the slowdown
 */
import type { ModelScore, TrainingExtent } from '../protocols/schema/model.ts';
import type { SlowdownTail } from './slowdown-tail.ts';

/** What is known of a task at one input size: measured seconds by ways. */
export interface MeasuredCurve {
  readonly inputSize: number;
  readonly points: readonly { readonly ways: number; readonly seconds: readonly number[] }[];
  /**
   * The instrument, or `run` for times of runs in held partitions; times by `wallclock` say nothing about cache.
   * @default wallclock
   */
  readonly profiler?: string;
  /** Bytes of one way of the machine it was measured on. */
  readonly wayBytes: number;
  /** A benchmark, or runs that were watched: only a benchmark makes a size `BENCHMARKED`. @default benchmark */
  readonly origin?: 'benchmark' | 'run';
  /** Within (0, 1]: how much it still says. Less after the task has changed its behaviour. @default 1 */
  readonly weight?: number;
}

/** Whether its times say anything about cache. */
export const seesCache = ({ profiler = 'wallclock' }: { readonly profiler?: string }): boolean =>
  profiler !== 'wallclock';

export interface CacheGeometry {
  readonly ways: number;
  readonly wayBytes: number;
}

/** A quantile of the slowdown for 1..ways ways; never rises, the last is 1. */
export interface Quantile {
  /** Within (0, 1): so likely is the slowdown at most this. */
  readonly level: number;
  readonly slowdown: readonly number[];
}

/** Slowdown relative to the full cache for 1..ways ways (`slowdown[0]` is one way); never rises; the last is 1. */
export interface Prediction {
  readonly mode: 'INOP' | 'BENCHMARKED' | 'ASSISTED';
  /** Expected. Empty for `INOP`. */
  readonly slowdown: readonly number[];
  /** From the lowest level to the highest; empty where a method knows no uncertainty. */
  readonly quantiles: readonly Quantile[];
  /** What the quantiles were read off; null or absent where a method knows no uncertainty. */
  readonly tail?: SlowdownTail | null;
  /** Expected seconds with the full cache; null when unknown. */
  readonly fullCacheSeconds: number | null;
}

/** What is predicted of a task without evidence. */
export const NOTHING_KNOWN: Prediction = {
  mode: 'INOP',
  slowdown: [],
  quantiles: [],
  tail: null,
  fullCacheSeconds: null,
};

/** Which model answers. */
export interface PredictorInfo {
  readonly name: string;
  /** Of the weights: 0 is what the program ships with; null for a method without weights. */
  readonly version: number | null;
  /** Of the weights file. */
  readonly sha256: string | null;
  readonly description: string;
}

export interface Predictor {
  info(): PredictorInfo;
  predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry): Prediction;
}

/** Evidence of one task of the cluster, to train on. */
export interface TrainingTask {
  readonly taskId: string;
  readonly curves: readonly MeasuredCurve[];
}

export interface TrainingRequest {
  readonly tasks: readonly TrainingTask[];
  /** Same seed, same tasks and same weights before give the same weights, to the byte, on the same back end. */
  readonly seed: number;
}

export interface TrainingResult {
  /** A weights file. */
  readonly weights: Uint8Array;
  /** On the same held-out tasks. */
  readonly before: ModelScore;
  readonly after: ModelScore;
  readonly extent: TrainingExtent;
  readonly backend: string;
}

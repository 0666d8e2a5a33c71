/** What is known of a task at one input size: measured seconds by ways. */
export interface MeasuredCurve {
  readonly inputSize: number;
  readonly points: readonly { readonly ways: number; readonly seconds: readonly number[] }[];
  /** The instrument; times by `wallclock` say nothing about cache. @default wallclock */
  readonly profiler?: string;
  /** Bytes of one way of the machine it was measured on. */
  readonly wayBytes: number;
}

export interface CacheGeometry {
  readonly ways: number;
  readonly wayBytes: number;
}

/** Slowdown relative to the full cache for 1..ways ways (`slowdown[0]` is one way); never rises; the last is 1. */
export interface Prediction {
  readonly mode: 'INOP' | 'BENCHMARKED' | 'ASSISTED';
  readonly slowdown: readonly number[];
  /** Expected seconds with the full cache; null when unknown. */
  readonly fullCacheSeconds: number | null;
}

/** The first predictor (a curve fit) and the learned model both stand behind this. */
export interface Predictor {
  readonly name: string;
  readonly version: number;
  readonly description: string;
  predict(known: readonly MeasuredCurve[], inputSize: number, geometry: CacheGeometry): Promise<Prediction>;
}

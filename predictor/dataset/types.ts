import type { CacheGeometry } from '../types.ts';

export interface CurvePoint {
  readonly ways: number;
  readonly seconds: number;
}

/** What a function takes at one input size, by the ways it has. */
export interface FunctionCurve {
  readonly name: string;
  readonly inputSize: number;
  /** By ways, ascending; some may be missing. */
  readonly points: readonly CurvePoint[];
}

/** Curves that were measured on one cache. */
export interface CurveSet {
  readonly geometry: CacheGeometry;
  readonly curves: readonly FunctionCurve[];
}

/** Functions on paper with a working set that grows with the input size, and a small model that knows some of them. */
import type { Family } from '../../../../predictor/model/examples.ts';
import type { CacheGeometry, MeasuredCurve } from '../../../../predictor/types.ts';

export const GEOMETRY: CacheGeometry = { ways: 16, wayBytes: 131_072 };

/** Seconds with so many ways of a function that reads `bytes` again and again at random. */
export function timeOf(bytes: number, ways: number, { wayBytes }: CacheGeometry, missCost = 2): number {
  const cached = Math.min(1, (ways * wayBytes) / bytes);
  return 0.02 * (1 + missCost * (1 - cached));
}

export function curveOf(
  inputSize: number,
  bytesAt: (size: number) => number,
  ways: readonly number[] = Array.from({ length: GEOMETRY.ways }, (_, i) => i + 1),
  missCost = 2,
): MeasuredCurve {
  return {
    inputSize,
    wayBytes: GEOMETRY.wayBytes,
    profiler: 'cachegrind',
    points: ways.map((way) => ({
      ways: way,
      seconds: [timeOf(bytesAt(inputSize), way, GEOMETRY, missCost)],
    })),
  };
}

const SIZES = [20_000, 50_000, 100_000, 200_000, 400_000];

/** One family for each number of bytes that an element takes. */
export function families(elementBytes: readonly number[]): Family[] {
  return elementBytes.map((bytes, i) => ({
    name: `function ${bytes}`,
    geometry: GEOMETRY,
    curves: SIZES.map((size) => curveOf(size, (each) => bytes * each, undefined, 0.5 + i)),
  }));
}

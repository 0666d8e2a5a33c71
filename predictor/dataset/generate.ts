/** Measures all points of some functions on one cache, several at a time. */
import { estimate } from '../cachegrind.ts';
import type { CacheGeometry } from '../types.ts';
import { type Counts, measurePoint, type Point } from './measure-point.ts';
import type { PointCache } from './point-cache.ts';
import type { Program } from './toolchain.ts';
import type { CurveSet, FunctionCurve } from './types.ts';

export interface Work {
  readonly program: Program;
  readonly sizes: readonly number[];
}

export interface GenerateOptions {
  readonly geometry: CacheGeometry;
  readonly jobs: number;
  /** An existing folder for valgrind's files. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

export interface GenerateDependencies {
  readonly cache: PointCache;
  /** Told after each point. */
  readonly progress: (point: Point, from: 'cache' | 'valgrind') => void;
}

/** @throws Error of the first point that failed; those under way are ended then */
export async function generate(
  work: readonly Work[],
  options: GenerateOptions,
  dependencies: GenerateDependencies,
): Promise<CurveSet> {
  const { geometry, jobs, signal } = options;
  const points = pointsOf(work, geometry);
  const measured = new Map<Point, Counts>();
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const queue = points.values();
  const worker = async (): Promise<void> => {
    // One iterator for all workers: each takes what comes next.
    for (const point of queue) {
      either.throwIfAborted();
      measured.set(point, await countsOf(point, { ...options, signal: either }, dependencies));
    }
  };
  const workers = Array.from({ length: jobs }, () =>
    worker().catch((error: unknown) => {
      failure.abort(error);
      throw error;
    }),
  );
  const outcomes = await Promise.allSettled(workers);
  signal.throwIfAborted();
  if (outcomes.some(({ status }) => status === 'rejected')) throw failure.signal.reason;
  return { geometry, curves: toCurves(measured) };
}

export function pointsOf(work: readonly Work[], { ways, wayBytes }: CacheGeometry): Point[] {
  return work.flatMap(({ program, sizes }) =>
    sizes.flatMap((inputSize) =>
      Array.from({ length: ways }, (_, index) => ({ program, inputSize, ways: index + 1, wayBytes })),
    ),
  );
}

async function countsOf(
  point: Point,
  { scratch, signal }: GenerateOptions,
  { cache, progress }: GenerateDependencies,
): Promise<Counts> {
  const known = await cache.read(point);
  const counts = known ?? (await measurePoint(point, scratch, signal));
  if (known === null) await cache.write(point, counts);
  progress(point, known === null ? 'valgrind' : 'cache');
  return counts;
}

function toCurves(measured: ReadonlyMap<Point, Counts>): FunctionCurve[] {
  const byCurve = Map.groupBy(measured, ([{ program, inputSize }]) => `${program.name},${inputSize}`);
  return [...byCurve.values()].map((points) => {
    const [{ program, inputSize }] = points[0] as [Point, Counts];
    return {
      name: program.name,
      inputSize,
      points: points
        .map(([{ ways }, counts]) => ({ ways, seconds: estimate([counts]).seconds }))
        .sort((left, right) => left.ways - right.ways),
    };
  });
}

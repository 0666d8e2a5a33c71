/**
 * Questions whose answers are known, made from curves of functions: some points of one or two sizes revealed, a size
 * asked for. Varied so that few functions teach much: caches with fewer ways are parts of the measured one, a share of
 * work without misses is added or taken away, points are revealed as benchmarks do or at random, and some are noisy.
 * Pure.
 */
import { nextWays } from '../adaptive-ways.ts';
import { normalFrom, randomFrom } from '../random.ts';
import type { CacheGeometry, MeasuredCurve } from '../types.ts';
import { chooseWitnesses, FEATURE_COUNT, featuresOf } from './features.ts';
import { KnownCurve } from './known-curve.ts';
import type { Lesson } from './network.ts';
import { THRESHOLDS } from './thresholds.ts';

/** The curves of one function or task, of one machine and instrument, at several input sizes. */
export interface Family {
  readonly name: string;
  readonly geometry: CacheGeometry;
  readonly curves: readonly MeasuredCurve[];
}

/** A question and its answer: the log slowdown for 1..ways - 1 ways; NaN where it isn't known. */
export interface Example {
  readonly known: readonly MeasuredCurve[];
  readonly inputSize: number;
  readonly geometry: CacheGeometry;
  readonly truth: readonly number[];
}

const FEWEST_WAYS = 8;
/** A curve is taken for known between points that differ by no more, in log. */
const TIGHT = 0.03;

/** @returns as many examples as can be made, at most `count` */
export function makeExamples(families: readonly Family[], count: number, seed: number): Example[] {
  const random = randomFrom(seed);
  const usable = families.filter(({ curves }) => curves.length > 0);
  const examples: Example[] = [];
  for (let i = 0; i < count && usable.length > 0; i++) {
    const example = makeExample(pick(usable, random), random);
    if (example !== null) examples.push(example);
  }
  return examples;
}

/** Rows of all examples whose answer is known. */
export function toLesson(examples: readonly Example[]): Lesson {
  const inputs: Float32Array[] = [];
  const targets: number[][] = [];
  for (const { known, inputSize, geometry, truth } of examples) {
    const witnesses = chooseWitnesses(known, inputSize, geometry);
    if (witnesses === null) continue;
    const { values } = featuresOf(witnesses, inputSize, geometry);
    for (const [row, level] of truth.entries()) {
      if (Number.isNaN(level)) continue;
      inputs.push(values.subarray(row * FEATURE_COUNT, (row + 1) * FEATURE_COUNT));
      targets.push(THRESHOLDS.map((threshold) => (level > Math.log(threshold) ? 1 : 0)));
    }
  }
  const x = new Float32Array(inputs.length * FEATURE_COUNT);
  for (const [i, row] of inputs.entries()) x.set(row, i * FEATURE_COUNT);
  const rows = inputs.length;
  return {
    inputs: { rows, columns: FEATURE_COUNT, values: x },
    targets: { rows, columns: THRESHOLDS.length, values: Float32Array.from(targets.flat()) },
  };
}

function makeExample(family: Family, random: () => number): Example | null {
  const all = family.geometry.ways;
  const fewer = Math.min(FEWEST_WAYS, all) + Math.floor(random() * (all - Math.min(FEWEST_WAYS, all) + 1));
  const geometry = { ...family.geometry, ways: random() < 0.5 ? all : fewer };
  const amplitude = random() < 0.4 ? 1 : Math.exp(Math.log(0.3) + random() * Math.log(2 / 0.3));
  const noise = random() < 0.75 ? 0 : random() < 0.5 ? 0.005 : 0.02;
  const reveal = revealer(random, noise);
  const view = (curve: MeasuredCurve): MeasuredCurve => amplify(cut(curve, geometry), geometry, amplitude);
  const asked = pick(family.curves, random);
  const target = view(asked);
  const truth = truthOf(target, geometry);
  if (truth === null) return null;
  const others = shuffle(
    family.curves.filter((curve) => curve.inputSize !== asked.inputSize),
    random,
  );
  const kind = random();
  const shown =
    kind < 0.3 || others.length === 0
      ? [target]
      : kind < 0.65
        ? others.slice(0, 1)
        : kind < 0.95
          ? others.slice(0, 2)
          : [target, ...others.slice(0, 1)];
  const known = shown.map((curve) => reveal(curve === target ? target : view(curve), geometry));
  return { known, inputSize: asked.inputSize, geometry, truth };
}

/** Null when too little of the curve was measured to tell what the full cache gives. */
function truthOf(curve: MeasuredCurve, geometry: CacheGeometry): number[] | null {
  const known = KnownCurve.of(curve, geometry);
  if (known === null || (known.ways.at(-1) ?? 0) < geometry.ways) return null;
  return Array.from({ length: geometry.ways - 1 }, (_, i) => {
    const { low, high, middle } = known.at(i + 1);
    return high - low <= TIGHT ? middle : Number.NaN;
  });
}

/** The first so many ways of a larger cache are a cache. */
function cut(curve: MeasuredCurve, { ways, wayBytes }: CacheGeometry): MeasuredCurve {
  const points = curve.points.filter((point) => point.ways * curve.wayBytes <= ways * wayBytes);
  return { ...curve, points };
}

/** Work that needs no cache added to each time, or taken away. */
function amplify(curve: MeasuredCurve, geometry: CacheGeometry, amplitude: number): MeasuredCurve {
  const full = KnownCurve.of(curve, geometry)?.fullSeconds;
  if (amplitude === 1 || full === undefined) return curve;
  const points = curve.points.map(({ ways, seconds }) => ({
    ways,
    seconds: seconds.map((value) => full * Math.max(0.01, 1 + amplitude * (value / full - 1))),
  }));
  return { ...curve, points };
}

/** One plan for all curves of a question: as a benchmark does, up to some executions, or at random. */
function revealer(random: () => number, noise: number) {
  const normal = normalFrom(random);
  const budget = pick([2, 3, 4, 5, 6, 99, 99, 0, 0, 0], random);
  const extras = pick([0, 1, 1, 2, 3, 4, 5], random);
  return (curve: MeasuredCurve, geometry: CacheGeometry): MeasuredCurve => {
    const chosen = budget === 0 ? atRandom(curve, extras, random) : asBenchmarked(curve, geometry, budget);
    const points = chosen.map(({ ways, seconds }) => ({
      ways,
      seconds: noise === 0 ? seconds : seconds.map((value) => value * Math.exp(noise * normal())),
    }));
    return { ...curve, points };
  };
}

type Points = MeasuredCurve['points'];

/** The most ways, and some others. */
function atRandom({ points }: MeasuredCurve, extras: number, random: () => number): Points {
  const sorted = points.toSorted((left, right) => left.ways - right.ways);
  const last = sorted.at(-1);
  if (last === undefined) return [];
  return [...shuffle(sorted.slice(0, -1), random).slice(0, extras), last];
}

function asBenchmarked(curve: MeasuredCurve, { ways }: CacheGeometry, budget: number): Points {
  if (budget >= curve.points.length) return curve.points;
  const shown: Points[number][] = [];
  while (shown.length < budget) {
    const next = nextWays(shown, ways, { deterministic: true, tolerance: 0.001 });
    const point = curve.points.find((each) => each.ways === next);
    if (next === null || point === undefined) break;
    shown.push(point);
  }
  return shown.length > 0 ? shown : curve.points;
}

const pick = <T>(values: readonly T[], random: () => number): T =>
  values[Math.floor(random() * values.length)] as T;

/** Fisher and Yates. */
function shuffle<T>(values: readonly T[], random: () => number): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

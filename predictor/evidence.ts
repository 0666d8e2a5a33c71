/**
 * What a task's benchmarks and the times of its runs say, as curves for the predictor. Pure, and blind to the order of
 * what it is given.
 *
 * Times of runs in held ways are points of curves (`run`); where nothing held the ways they only say how long it takes
 * (`wallclock`). After a change of behaviour (see `change.ts`) what was measured before it counts for less with every
 * run and every day, and in the end for nothing. Levels are never mixed in one curve: before and after are two curves.
 */
import { type Change, changeOf } from '../protocols/schema/change.ts';
import { withoutOutliers } from './robust.ts';
import { type MeasuredCurve, seesCache } from './types.ts';
import { type EvidenceRuns, isPositive, type Watched, type WatchedSeries, watch } from './watched-runs.ts';

export interface EvidenceProfile {
  readonly inputSize: number;
  readonly profiler: string;
  readonly wayBytes: number;
  readonly cpuModel: string;
  readonly measuredAtMs: number;
  readonly points: readonly { readonly ways: number; readonly seconds: readonly number[] }[];
}

/** The task takes another time than what was believed. */
export interface Drift extends Change {
  readonly inputSize: number;
}

export interface Evidence {
  readonly curves: readonly MeasuredCurve[];
  /** The latest; null: none, or benchmarked again since. */
  readonly drift: Drift | null;
}

/**
 * Curves that the predictor is given at most: what sees the cache first, then what counts the most, then the newest.
 */
export const MOST_CURVES = 64;
/** Samples of one point at most: the latest. */
export const MOST_SAMPLES = 16;

const DAY_MS = 86_400_000;
/** What was measured before a change counts for half after so long, or after so many runs since. */
const HALF_LIFE_MS = DAY_MS;
const HALF_LIFE_RUNS = 16;
/** What counts for less than this counts for nothing. */
const LEAST_WEIGHT = 1 / 8;
/**
 * Where nothing held the ways the neighbours may have changed, and not the task: what saw the cache is doubted, never
 * silenced.
 */
const LEAST_CACHE_WEIGHT_UNHELD = 1 / 2;
/** Runs of a size that took as long as before show that a change elsewhere isn't one of theirs. */
const UNCHANGED_RUNS = 3;

/** The instrument whose seconds are the same as those of runs. */
const instrumentOf = (held: boolean): string => (held ? 'resctrl' : 'wallclock');

/** @param runs each with another input size or command; not changed later: what was made of them is remembered */
export function evidenceOf(
  profiles: readonly EvidenceProfile[],
  runs: readonly EvidenceRuns[],
  nowMs: number,
): Evidence {
  const measured = profiles.map(usableProfile).filter((profile) => profile.points.length > 0);
  const watched = runs.map(watch).filter(({ series }) => series.length > 0);
  const drifts = watched.flatMap((each) => driftOf(each, measured) ?? []).toSorted(latestFirst);
  const aged = [
    ...measured.map((profile) => agedProfile(profile, fading(profile.inputSize, drifts, watched, nowMs))),
    ...watched.flatMap((each) => agedRuns(each, fading(each.inputSize, drifts, watched, nowMs))),
  ].toSorted(byMerit);
  const kept = aged.filter(({ weight }) => weight >= LEAST_WEIGHT);
  // Old news of a task are better than none: it isn't one that was never benchmarked.
  const last = aged.find(({ origin }) => origin === 'benchmark');
  if (last && !kept.some(({ origin }) => origin === 'benchmark')) {
    kept.splice(MOST_CURVES - 1, Number.POSITIVE_INFINITY, { ...last, weight: LEAST_WEIGHT });
  }
  const unresolved = drifts.find((drift) => !measured.some((profile) => isAfter(profile, drift)));
  return { curves: kept.slice(0, MOST_CURVES).map(toCurve), drift: unresolved ?? null };
}

/** One sentence for people. */
export function describeDrift(drift: Drift): string {
  const { beforeSeconds, afterSeconds, ways, inputSize, held } = drift;
  const slower = afterSeconds > beforeSeconds;
  const factor = slower ? afterSeconds / beforeSeconds : beforeSeconds / afterSeconds;
  const where = `at input size ${inputSize} with ${ways} ${ways === 1 ? 'way' : 'ways'}${held ? '' : ' (not held)'}`;
  return `its behaviour has changed: ${where} it is ${Number(factor.toPrecision(2))} times as ${slower ? 'slow' : 'fast'} as was believed; benchmark it again to know its curve`;
}

function usableProfile(profile: EvidenceProfile): EvidenceProfile {
  const { wayBytes, inputSize, measuredAtMs } = profile;
  if (!isPositive(wayBytes) || !Number.isFinite(inputSize) || !Number.isFinite(measuredAtMs))
    return { ...profile, points: [] };
  const points = profile.points
    .map(({ ways, seconds }) => ({ ways, seconds: seconds.filter(isPositive).slice(-MOST_SAMPLES) }))
    .filter(({ ways, seconds }) => isPositive(ways) && seconds.length > 0);
  return { ...profile, points: points.toSorted((a, b) => a.ways - b.ways || compare(a, b)) };
}

/** By what is written, so that the order in which things are given doesn't matter. */
function compare(left: unknown, right: unknown): number {
  const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
  return a < b ? -1 : Number(a > b);
}

const latestFirst = (left: Drift, right: Drift): number =>
  right.sinceMs - left.sinceMs || left.inputSize - right.inputSize || compare(left, right);

/** What the times have shown by themselves, or in comparison with a benchmark in seconds of the same kind. */
function driftOf({ inputSize, change, series }: Watched, profiles: readonly EvidenceProfile[]): Drift | null {
  const ofSize = profiles.filter((profile) => profile.inputSize === inputSize);
  const compared = ofSize.length === 0 ? [] : series.map((each) => changeSince(each, ofSize));
  const drifts = [change, ...compared].flatMap((found) => (found ? [{ ...found, inputSize }] : []));
  return drifts.toSorted(latestFirst)[0] ?? null;
}

function changeSince(
  { ways, held, llc, times }: WatchedSeries,
  profiles: readonly EvidenceProfile[],
): Change | null {
  const profile = profiles
    .filter(
      (each) =>
        each.profiler === instrumentOf(held) &&
        each.wayBytes === llc.wayBytes &&
        each.cpuModel === llc.cpuModel,
    )
    .toSorted((a, b) => b.measuredAtMs - a.measuredAtMs || compare(a, b))[0];
  const point = profile?.points.find((each) => each.ways === ways);
  if (profile === undefined || point === undefined) return null;
  const since = times.filter(({ atMs }) => atMs > profile.measuredAtMs);
  return changeOf({ ways, held, times: since }, point.seconds);
}

/** From when on things are as they are now, and how much those before still count. */
interface Fading {
  readonly sinceMs: number;
  /** Of what only tells the time, and of what saw the cache. */
  readonly timeWeight: number;
  readonly cacheWeight: number;
}

function fading(
  inputSize: number,
  drifts: readonly Drift[],
  watched: readonly Watched[],
  nowMs: number,
): Fading | null {
  const drift = drifts.find((each) => each.inputSize === inputSize) ?? drifts[0];
  if (drift === undefined) return null;
  const runsSince = (size: number): number =>
    watched
      .flatMap((each) => (each.inputSize === size ? each.series : []))
      .reduce((sum, { times }) => sum + times.filter(({ atMs }) => atMs >= drift.sinceMs).length, 0);
  if (drift.inputSize !== inputSize && runsSince(inputSize) >= UNCHANGED_RUNS) return null;
  const ageMs = Math.max(0, nowMs - drift.sinceMs);
  const halvings = ageMs / HALF_LIFE_MS + runsSince(drift.inputSize) / HALF_LIFE_RUNS;
  const timeWeight = 2 ** -halvings;
  const cacheWeight = drift.held ? timeWeight : Math.max(LEAST_CACHE_WEIGHT_UNHELD, timeWeight);
  return { sinceMs: drift.sinceMs, timeWeight, cacheWeight };
}

interface AgedCurve {
  readonly inputSize: number;
  readonly profiler: string;
  readonly wayBytes: number;
  readonly points: MeasuredCurve['points'];
  readonly origin: 'benchmark' | 'run';
  readonly weight: number;
  readonly atMs: number;
}

/** Times that say nothing of cache come last, however new: there is one for each size that ever ran. */
const tellsTimeOnly = ({ origin, profiler }: AgedCurve): number =>
  Number(origin === 'run' && !seesCache({ profiler }));

const byMerit = (left: AgedCurve, right: AgedCurve): number =>
  tellsTimeOnly(left) - tellsTimeOnly(right) ||
  right.weight - left.weight ||
  right.atMs - left.atMs ||
  left.inputSize - right.inputSize ||
  left.wayBytes - right.wayBytes ||
  compare(left, right);

function weightOf(profiler: string, atMs: number, fade: Fading | null): number {
  if (fade === null || atMs >= fade.sinceMs) return 1;
  return seesCache({ profiler }) ? fade.cacheWeight : fade.timeWeight;
}

function agedProfile(profile: EvidenceProfile, fade: Fading | null): AgedCurve {
  const { inputSize, profiler, wayBytes, points, measuredAtMs: atMs } = profile;
  const weight = weightOf(profiler, atMs, fade);
  return { inputSize, profiler, wayBytes, points, origin: 'benchmark', weight, atMs };
}

/** What was made of the runs before, by the side of which change. */
const agedBefore = new WeakMap<
  Watched,
  { readonly sinceMs: number | null; readonly curves: readonly AgedCurve[] }
>();

/** A curve for each machine, held or not, and for each side of the change. */
function agedRuns(watched: Watched, fade: Fading | null): AgedCurve[] {
  const sinceMs = fade?.sinceMs ?? null;
  const known = agedBefore.get(watched);
  const curves = known?.sinceMs === sinceMs ? known.curves : sidesOf(watched, sinceMs);
  agedBefore.set(watched, { sinceMs, curves });
  return curves.map((curve) => ({
    ...curve,
    weight: weightOf(curve.profiler, curve.atMs, fade),
  }));
}

function sidesOf({ inputSize, series }: Watched, sinceMs: number | null): readonly AgedCurve[] {
  const machines = new Set(series.map(({ machine }) => machine));
  return [...machines].flatMap((machine) => {
    const here = series.filter((each) => each.machine === machine);
    const sides =
      sinceMs === null
        ? [here]
        : [
            here.map((each) => ({ ...each, times: each.times.filter(({ atMs }) => atMs < sinceMs) })),
            here.map((each) => ({ ...each, times: each.times.filter(({ atMs }) => atMs >= sinceMs) })),
          ];
    return sides.flatMap((side) => curveOf(inputSize, side) ?? []);
  });
}

function curveOf(inputSize: number, all: readonly WatchedSeries[]): AgedCurve | null {
  const series = all.filter(({ times }) => times.length > 0).toSorted((a, b) => a.ways - b.ways);
  const [first] = series;
  if (first === undefined) return null;
  return {
    inputSize,
    profiler: first.held ? 'run' : 'wallclock',
    wayBytes: first.llc.wayBytes,
    points: series.map(({ ways, times }) => ({
      ways,
      seconds: withoutOutliers(times, (time) => time.seconds)
        .slice(-MOST_SAMPLES)
        .map((time) => time.seconds),
    })),
    origin: 'run',
    weight: 1,
    atMs: Math.max(...series.map(({ times }) => times.at(-1)?.atMs ?? 0)),
  };
}

const toCurve = ({ atMs: _, ...curve }: AgedCurve): MeasuredCurve => curve;

const isAfter = (profile: EvidenceProfile, { inputSize, sinceMs }: Drift): boolean =>
  profile.inputSize === inputSize && profile.measuredAtMs >= sinceMs;

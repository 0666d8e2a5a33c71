/** Times of a task's runs, sorted into what can be compared with each other. Pure. */
import type { Change } from '../protocols/schema/change.ts';

export interface EvidenceTime {
  readonly seconds: number;
  readonly ways: number;
  readonly llc: { readonly ways: number; readonly wayBytes: number; readonly cpuModel: string };
  /** `enforced`: the ways were held. */
  readonly enforcement: string;
  readonly atMs: number;
}

/** Runs of the task at one input size. */
export interface EvidenceRuns {
  readonly inputSize: number;
  readonly times: readonly EvidenceTime[];
  /** What the times alone have shown so far, also those that are no longer kept. */
  readonly change: Change | null;
}

export const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;

/** Times of one machine and one number of ways, held or not; oldest first. */
export interface WatchedSeries {
  readonly machine: string;
  readonly llc: EvidenceTime['llc'];
  readonly ways: number;
  readonly held: boolean;
  readonly times: readonly EvidenceTime[];
}

export interface Watched {
  readonly inputSize: number;
  readonly change: Change | null;
  readonly series: readonly WatchedSeries[];
}

/** Every run of a task asks for all that is known of it, and only what it ran itself has changed since the last one. */
const watchedBefore = new WeakMap<EvidenceRuns, Watched>();

export function watch(runs: EvidenceRuns): Watched {
  const before = watchedBefore.get(runs);
  if (before) return before;
  const { inputSize, change } = runs;
  const watched = { inputSize, change, series: seriesOf(Number.isFinite(inputSize) ? runs.times : []) };
  watchedBefore.set(runs, watched);
  return watched;
}

function seriesOf(all: readonly EvidenceTime[]): readonly WatchedSeries[] {
  const groups = new Map<string, WatchedSeries & { readonly times: EvidenceTime[] }>();
  for (const time of all) {
    const { seconds, ways, llc, atMs } = time;
    if (!isPositive(seconds) || !isPositive(ways) || !isPositive(llc.wayBytes) || !Number.isFinite(atMs))
      continue;
    const held = time.enforcement === 'enforced';
    const machine = `${held} ${llc.ways} ${llc.wayBytes} ${llc.cpuModel}`;
    const key = `${ways} ${machine}`;
    const group = groups.get(key);
    if (group) group.times.push(time);
    else groups.set(key, { machine, llc, ways, held, times: [time] });
  }
  const series = [...groups].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, group]) => group);
  return series.map((each) => ({
    ...each,
    times: each.times.toSorted((a, b) => a.atMs - b.atMs || a.seconds - b.seconds),
  }));
}

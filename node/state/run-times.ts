/**
 * The table of run times: what runs that succeeded took, as evidence. Derived from the entries that end runs, so that
 * it costs the log nothing; bounded, so that it costs the memory little.
 */
import { type Change, changeOf, changeRule, joinChanges } from '../../protocols/schema/change.ts';
import type { Llc, Run, RunTime } from '../../protocols/schema/run.ts';
import type { RunTimes } from './types.ts';

/** Of one task with one command at one input size. */
export const KEPT_TIMES = 64;
/** Of one task; the one that had no run for the longest goes first. */
export const KEPT_SIZES = 32;
/** Of all tasks. */
const KEPT_SERIES = 4096;

export class RunTimeTable {
  /** By task, then by size and command, in the order of their last run. */
  readonly #byTask = new Map<string, Map<string, RunTimes>>();
  #count = 0;

  /** False when the run says nothing: a benchmark, or one without success. */
  record(run: Run): boolean {
    const time = timeOf(run);
    if (time === null) return false;
    const { taskId, command, inputSize } = run.spec;
    const key = `${inputSize} ${command}`;
    const sizes = this.#byTask.get(taskId) ?? new Map<string, RunTimes>();
    const known = sizes.get(key);
    const times = [...(known?.times ?? []), time].slice(-KEPT_TIMES);
    const change = changeAfter(known?.change ?? null, times);
    if (known) sizes.delete(key);
    else this.#count += 1;
    sizes.set(key, { taskId, command, inputSize, times, change });
    this.#byTask.delete(taskId);
    this.#byTask.set(taskId, sizes);
    if (sizes.size > KEPT_SIZES) this.#dropFirst(taskId, sizes);
    while (this.#count > KEPT_SERIES) this.#dropOldest();
    return true;
  }

  /** Of one task, the size with the latest run last. */
  of(taskId: string): readonly RunTimes[] {
    return [...(this.#byTask.get(taskId)?.values() ?? [])];
  }

  all(): readonly RunTimes[] {
    return [...this.#byTask.values()].flatMap((sizes) => [...sizes.values()]);
  }

  clear(): void {
    this.#byTask.clear();
    this.#count = 0;
  }

  #dropOldest(): void {
    const [oldest] = this.#byTask;
    if (oldest) this.#dropFirst(...oldest);
  }

  #dropFirst(taskId: string, sizes: Map<string, RunTimes>): void {
    for (const key of sizes.keys()) {
      sizes.delete(key);
      this.#count -= 1;
      break;
    }
    if (sizes.size === 0) this.#byTask.delete(taskId);
  }
}

function timeOf({ spec, state, assignment, result, finishedAtMs }: Run): RunTime | null {
  if (state !== 'succeeded' || spec.purpose !== 'run' || spec.measure || !assignment || !result?.llc)
    return null;
  const seconds = result.executionTimeNs / 1e9;
  if (!(seconds > 0) || finishedAtMs === null) return null;
  const { llc, enforcement } = result;
  return { seconds, ways: assignment.ways, llc, enforcement, atMs: finishedAtMs };
}

/** The newest time can only bring a change of the series that it belongs to. */
function changeAfter(known: Change | null, times: readonly RunTime[]): Change | null {
  const newest = times.at(-1);
  if (newest === undefined) return known;
  const held = newest.enforcement === 'enforced';
  const from = known?.ways === newest.ways && known.held === held ? known.sinceMs : Number.NEGATIVE_INFINITY;
  const series = times.filter(
    (time) =>
      time.ways === newest.ways &&
      (time.enforcement === 'enforced') === held &&
      sameMachine(time.llc, newest.llc) &&
      time.atMs >= from,
  );
  if (series.length < changeRule(held).recent) return known;
  const change = changeOf({ ways: newest.ways, held, times: series });
  return change === null ? known : joinChanges(known, change);
}

const sameMachine = (left: Llc, right: Llc): boolean =>
  left.ways === right.ways && left.wayBytes === right.wayBytes && left.cpuModel === right.cpuModel;

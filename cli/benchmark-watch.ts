/** Follows a benchmark through the runs that it makes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunSummaryJson } from '../node/rest/schemas/runs.ts';
import { mean } from '../protocols/schema/statistics.ts';
import type { ApiClient } from './api-client.ts';
import { formatBytes, plural } from './format.ts';
import { listRuns } from './lookup.ts';
import { drawCurve } from './plot.ts';

const POLL_MS = 400;

const isOver = (run: RunSummaryJson): boolean => run.finished_at !== null;

export interface BenchmarkWatchOptions {
  readonly taskId: string;
  readonly inputSize: number;
  /** Called with the lines to show in place of the last ones. */
  readonly draw: (lines: readonly string[]) => void;
}

export class BenchmarkWatch implements AsyncDisposable {
  readonly #options: BenchmarkWatchOptions;
  readonly #client: ApiClient;
  readonly #over = new AbortController();
  #followed: Promise<void> = Promise.resolve();

  /** Await it before the benchmark begins, or its first run counts as one of an earlier benchmark. */
  static async begin(client: ApiClient, options: BenchmarkWatchOptions): Promise<BenchmarkWatch> {
    const watch = new BenchmarkWatch(client, options);
    watch.#followed = watch.#follow(new Set((await watch.#list()).map((run) => run.run_id)));
    return watch;
  }

  private constructor(client: ApiClient, options: BenchmarkWatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#followed;
    this.#options.draw([]);
  }

  async #follow(earlier: ReadonlySet<string>): Promise<void> {
    while (!this.#over.signal.aborted) {
      const runs = (await this.#list()).filter((run) => !earlier.has(run.run_id));
      if (this.#over.signal.aborted) return;
      this.#options.draw(describeProgress(runs));
      await delay(POLL_MS, null, { signal: this.#over.signal }).catch(() => {});
    }
  }

  /** Empty when the node doesn't answer: the benchmark itself will say what is wrong. */
  async #list(): Promise<readonly RunSummaryJson[]> {
    const { taskId, inputSize } = this.#options;
    const runs = await listRuns(this.#client, taskId).catch(() => []);
    return runs.filter((run) => run.purpose === 'benchmark' && run.input_size === inputSize);
  }
}

/** The curve so far of a benchmark's runs, in lines of at most 80 columns. */
export function describeProgress(runs: readonly RunSummaryJson[]): readonly string[] {
  const measure = runs.find((run) => run.measure !== null)?.measure;
  if (!measure) return ['running the program once by itself …'];
  const seconds = new Map<number, number[]>();
  for (const run of runs) {
    // After a fall-back to another profiler the points of the first no longer count.
    if (run.measure?.profiler !== measure.profiler || run.measurement === null) continue;
    seconds.set(run.measure.ways, [...(seconds.get(run.measure.ways) ?? []), run.measurement.seconds]);
  }
  const points = [...seconds].map(([ways, samples]) => ({
    ways,
    seconds: mean(samples),
  }));
  const executions = [...seconds.values()].flat().length;
  const at = runs.find((run) => !isOver(run))?.measure?.ways;
  const now = at === undefined ? '' : `, now at ${plural(at, 'way')}`;
  const most = Math.max(1, ...points.map((point) => point.ways));
  return [
    `by ${measure.profiler}, ways of ${formatBytes(measure.way_bytes)}: ${plural(executions, 'execution')}${now}`,
    ...drawCurve(points, most),
  ];
}

/** Follows a benchmark through the runs that it makes, and cancels it through them. */
import type { RunSummaryJson } from '../node/rest/schemas/runs.ts';
import { mean } from '../protocols/schema/statistics.ts';
import type { ApiClient } from './api-client.ts';
import { formatBytes, plural } from './format.ts';
import { listRuns, runPath } from './lookup.ts';
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
  #earlier: ReadonlySet<string> = new Set();
  #state: 'watching' | 'cancelling' | 'over' = 'watching';
  #wake: () => void = () => {};
  #followed: Promise<void> = Promise.resolve();

  /** Await it before the benchmark begins, or its first run counts as one of an earlier benchmark. */
  static async begin(client: ApiClient, options: BenchmarkWatchOptions): Promise<BenchmarkWatch> {
    const watch = new BenchmarkWatch(client, options);
    watch.#earlier = new Set((await watch.#list()).map((run) => run.run_id));
    watch.#followed = watch.#follow();
    return watch;
  }

  private constructor(client: ApiClient, options: BenchmarkWatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  get cancelled(): boolean {
    return this.#state === 'cancelling';
  }

  /** From now on every run of the benchmark is cancelled, which ends it. */
  cancel(): void {
    if (this.#state === 'watching') this.#state = 'cancelling';
    this.#wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'over';
    this.#wake();
    await this.#followed;
    this.#options.draw([]);
  }

  async #follow(): Promise<void> {
    while (this.#state !== 'over') {
      const runs = (await this.#list()).filter((run) => !this.#earlier.has(run.run_id));
      if (this.#state === 'cancelling') await this.#cancelAll(runs);
      else if (this.#state === 'watching') this.#options.draw(describeProgress(runs));
      await this.#pause();
    }
  }

  /** Empty when the node doesn't answer: the benchmark itself will say what is wrong. */
  async #list(): Promise<readonly RunSummaryJson[]> {
    const { taskId, inputSize } = this.#options;
    const runs = await listRuns(this.#client, taskId).catch(() => []);
    return runs.filter((run) => run.purpose === 'benchmark' && run.input_size === inputSize);
  }

  async #cancelAll(runs: readonly RunSummaryJson[]): Promise<void> {
    const active = runs.filter((run) => !isOver(run));
    // One that has ended meanwhile is as good as cancelled; the next look finds the next.
    await Promise.allSettled(active.map((run) => this.#client.delete(runPath(run.run_id))));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#state !== 'watching') this.#wake();
    });
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

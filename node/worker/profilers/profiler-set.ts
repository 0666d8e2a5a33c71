/** What a node can measure by. */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import { type Measure, PROFILERS, type ProfilerName } from '../../../protocols/schema/task.ts';
import type { Logger } from '../../ports.ts';
import type { Instrument, Profiler } from './types.ts';

export class ProfilerSet {
  readonly #profilers: readonly Profiler[];
  readonly #logger: Logger;
  #usable: readonly Profiler[] = [];
  #missing: ReadonlyMap<ProfilerName, string> = new Map();

  constructor(profilers: readonly Profiler[], dependencies: { readonly logger: Logger }) {
    this.#profilers = profilers;
    this.#logger = dependencies.logger;
  }

  /** Finds out what works here. */
  async start(): Promise<void> {
    const verdicts = await Promise.all(
      this.#profilers.map(async (profiler) => ({ profiler, verdict: await profiler.available() })),
    );
    this.#usable = verdicts.filter(({ verdict }) => verdict.ok).map(({ profiler }) => profiler);
    this.#missing = new Map(
      verdicts.flatMap(({ profiler: { name }, verdict }) => (verdict.ok ? [] : [[name, verdict.error]])),
    );
    for (const [profiler, reason] of this.#missing)
      this.#logger.debug({ profiler, reason }, 'no such profiler');
  }

  /** The best first. */
  names(): ProfilerName[] {
    return PROFILERS.filter((name) => this.#usable.some((profiler) => profiler.name === name));
  }

  /** Failure: a sentence. */
  instrument(measure: Measure): Outcome<Instrument, string> {
    const profiler = this.#usable.find(({ name }) => name === measure.profiler);
    if (profiler !== undefined) return succeed(profiler.instrument(measure));
    return fail(
      `this node can't measure by ${measure.profiler}: ${this.#missing.get(measure.profiler) ?? 'it does not know it'}`,
    );
  }
}

const stopwatch: Instrument = {
  wrap: async (command) => command,
  collect: async () => undefined,
  reading: (executionTimeNs) => succeed({ seconds: executionTimeNs / 1e9, counts: null, processes: null }),
};

/** Times programs on the machine as it is. Nobody holds the ways of others off, so it says nothing about cache. */
export const wallclockProfiler: Profiler = {
  name: 'wallclock',
  available: async () => succeed(undefined),
  instrument: () => stopwatch,
};

/** Times programs inside their partitions, so it is there only where partitions are held. */
export const resctrlProfiler = (options: { readonly enforces: () => boolean }): Profiler => ({
  name: 'resctrl',
  available: async () =>
    options.enforces()
      ? succeed(undefined)
      : fail('this node does not hold cache partitions: it needs a CPU with cache allocation and resctrl'),
  instrument: () => stopwatch,
});

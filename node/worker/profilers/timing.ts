/** Profilers that take the time: inside a partition (`resctrl`), or of the machine as it is (`wallclock`). */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { ProfilerName } from '../../state/types.ts';
import type { Instrument, Profiler } from './types.ts';

const stopwatch: Instrument = {
  wrap: async (command) => command,
  collect: async () => undefined,
  reading: (executionTimeNs) => succeed({ seconds: executionTimeNs / 1e9, counts: null, processes: null }),
};

class TimingProfiler implements Profiler {
  readonly name: ProfilerName;
  readonly deterministic = false;
  readonly #verdict: () => Outcome<void, string>;

  constructor(name: ProfilerName, verdict: () => Outcome<void, string>) {
    this.name = name;
    this.#verdict = verdict;
  }

  async available(): Promise<Outcome<void, string>> {
    return this.#verdict();
  }

  instrument(): Instrument {
    return stopwatch;
  }
}

/** Nobody holds the ways of others off, so its times say nothing about cache. */
export const wallclockProfiler = (): Profiler => new TimingProfiler('wallclock', () => succeed(undefined));

/** The run's own partition is what makes its time depend on its ways, so it is there only where partitions are held. */
export const resctrlProfiler = (options: { readonly enforces: () => boolean }): Profiler =>
  new TimingProfiler('resctrl', () =>
    options.enforces()
      ? succeed(undefined)
      : fail('this node does not hold cache partitions: it needs a CPU with cache allocation and resctrl'),
  );

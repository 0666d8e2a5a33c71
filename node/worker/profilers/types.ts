/**
 * Profilers: instruments that time a program with so many ways of last-level cache.
 *
 * instrument   one profiler set up for one execution
 * reading      what an instrument says once the program is over
 */
import type { Outcome } from '../../../protocols/schema/outcome.ts';
import type { Measurement } from '../../../protocols/schema/run.ts';
import type { Measure, ProfilerName } from '../../../protocols/schema/task.ts';
import type { Owner } from '../work-directory.ts';

/** Used for one execution, in the order of its methods. */
export interface Instrument {
  /**
   * The argument vector that starts `command` under measurement.
   * @param command an absolute path and its arguments
   * @param directory the program's working directory; the instrument may keep files there
   * @param owner whom these must belong to, so that whoever sweeps after the program finds them wherever it puts them
   */
  wrap(
    command: readonly [string, ...string[]],
    directory: string,
    owner: Owner,
  ): Promise<readonly [string, ...string[]]>;
  /** Called when no process is left, before the working directory is removed. Never rejects. */
  collect(directory: string): Promise<void>;
  /** Failure: a sentence that says why nothing was measured. */
  reading(executionTimeNs: number): Outcome<Measurement, string>;
}

export interface Profiler {
  readonly name: ProfilerName;
  /** Failure: a sentence that says why not here, and what to do. */
  available(): Promise<Outcome<void, string>>;
  instrument(measure: Measure): Instrument;
}

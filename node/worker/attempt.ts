/** One attempt of a run, from the reservation of its ways to the report that is handed in. */

import { type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Lease, Partitions } from '../llc/partitions/types.ts';
import type { LlcDomain } from '../llc/types.ts';
import type { Clock } from '../ports.ts';
import type { CacheUse, Measure } from '../state/types.ts';
import { type AttemptEnding, attemptReport, type StopCause } from './attempt-report.ts';
import type { LaunchedProcess, Launcher, ProcessEnd } from './launcher.ts';
import { withReading } from './measured-report.ts';
import type { Instrument } from './profilers/types.ts';
import type { AttemptReport, CapturedOutput, Dispatch, DispatchRefusal } from './types.ts';

export interface AttemptDependencies {
  readonly clock: Clock;
  readonly launcher: Launcher;
  /** Failure: a sentence that says why not here. */
  readonly instrument: (measure: Measure) => Outcome<Instrument, string>;
  readonly partitions: Pick<Partitions, 'enter' | 'view' | 'observe'>;
  readonly cpuModel: string;
  readonly onStarted: (attempt: Attempt, atMs: number) => void;
}

/** The longest that a timer of Node can wait; a run that may take longer than 24 days isn't limited. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Attempt {
  readonly dispatch: Dispatch;
  readonly domain: LlcDomain;
  /** What the master was or will be told; set by the worker that holds it. */
  accepted: Promise<Outcome<void, DispatchRefusal>> | null = null;
  /** Of the ways that it holds; set and given back by the worker. */
  lease: Lease | null = null;
  phase: 'running' | 'reporting' = 'running';
  readonly #dependencies: AttemptDependencies;
  readonly #kill = new AbortController();
  readonly #abandon = new AbortController();
  readonly #gone = Promise.withResolvers<void>();
  #cause: StopCause | null = null;
  #process: LaunchedProcess | null = null;
  #end: ProcessEnd | null = null;

  constructor(dispatch: Dispatch, domain: LlcDomain, dependencies: AttemptDependencies) {
    this.dispatch = dispatch;
    this.domain = domain;
    this.#dependencies = dependencies;
  }

  /** Resolves when nothing of it is left on this node. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Aborts when nobody wants the result any more. */
  get abandoned(): AbortSignal {
    return this.#abandon.signal;
  }

  /** The first cause is the one that is reported. */
  stop(cause: StopCause): void {
    this.#cause ??= cause;
    this.#kill.abort();
  }

  /** Stops it and gives up its result. */
  abandon(): void {
    this.#abandon.abort();
    this.#kill.abort();
  }

  markGone(): void {
    this.#gone.resolve();
  }

  /** Resolves when the program is over and nothing of it is alive. */
  async carryOut(filePath: string, outputLimitBytes: number): Promise<AttemptReport> {
    const { clock, launcher, onStarted } = this.#dependencies;
    const { runId, attempt, taskId, fileName, command, inputSize, parameters, timeLimitMs } = this.dispatch;
    const { cpus } = this.domain;
    const instrument = this.#instrument();
    if (!instrument.ok) {
      const failure = { code: 'NOT_STARTED', message: instrument.error } as const;
      return this.#report({ launched: null, failure });
    }
    const launched = await launcher.launch(
      {
        runId,
        attempt,
        taskId,
        fileName,
        filePath,
        command,
        inputSize,
        parameters,
        cpus,
        outputLimitBytes,
        enter: this.#enter(),
        ...(instrument.value && { instrument: instrument.value }),
      },
      this.#kill.signal,
    );
    if (!launched.ok) return this.#report({ launched: null, failure: launched.error });
    this.#process = launched.value;
    onStarted(this, launched.value.startedAtMs);
    const cancelLimit =
      timeLimitMs > LONGEST_TIMER_MS
        ? () => undefined
        : clock.after(timeLimitMs, () => this.stop('timed_out'));
    this.#end = await launched.value.ended;
    cancelLimit();
    const report = this.#report({ launched: launched.value, end: this.#end }, await this.#cacheUse());
    if (instrument.value === null) return report;
    return withReading(report, instrument.value.reading(this.#end.executionTimeNs));
  }

  /** Null where nothing but accounts holds the ways: a gate would only cost time. That they can't be held is no failure. */
  #enter(): ((pid: number) => Promise<void>) | null {
    const { lease } = this;
    const { partitions } = this.#dependencies;
    if (lease === null || partitions.view().state === 'counting') return null;
    return async (pid) => {
      await partitions.enter(lease, pid);
    };
  }

  /** Counters stay with the group when its last process is gone. Null when none has said anything. */
  async #cacheUse(): Promise<CacheUse | null> {
    if (this.lease === null) return null;
    const seen = await this.#dependencies.partitions.observe(this.lease);
    const said = seen.occupancyBytes ?? seen.bandwidthBytesPerSecond ?? seen.localBandwidthBytesPerSecond;
    return said === null ? null : seen;
  }

  #report(ending: AttemptEnding, cacheUse: CacheUse | null = null): AttemptReport {
    const standing = this.lease?.recorded ?? { enforcement: 'unenforced', reason: 'It held no ways.' };
    const { ways, wayBytes } = this.domain;
    return attemptReport(this.dispatch, ending, {
      standing,
      cause: this.#cause,
      cacheUse,
      atMs: this.#dependencies.clock.nowMs(),
      llc: { ways, wayBytes, cpuModel: this.#dependencies.cpuModel },
    });
  }

  #instrument(): Outcome<Instrument | null, string> {
    const { measure } = this.dispatch;
    return measure == null ? succeed(null) : this.#dependencies.instrument(measure);
  }

  output(
    stream: 'stdout' | 'stderr',
    offset: number,
  ): { readonly bytes: Uint8Array; readonly ended: boolean } {
    const kept: CapturedOutput | null = this.#end?.[stream] ?? null;
    if (kept !== null) return { bytes: kept.bytes.slice(Math.max(offset, 0)), ended: true };
    const bytes = this.#process?.output(stream, offset) ?? new Uint8Array();
    return { bytes, ended: this.phase === 'reporting' };
  }
}

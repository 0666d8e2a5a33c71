/** One attempt of a run, from the reservation of its ways to the report that is handed in. */
import type {
  AttemptReport,
  CapturedOutput,
  Dispatch,
  OutputStream,
} from '../../protocols/schema/attempt.ts';
import { type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { CacheUse } from '../../protocols/schema/run.ts';
import type { Measure } from '../../protocols/schema/task.ts';
import type { Lease, Partitions } from '../llc/partitions/types.ts';
import type { LlcDomain, Topology } from '../llc/types.ts';
import type { Clock } from '../ports.ts';
import { type AttemptEnding, attemptReport, type StopCause, withReading } from './attempt-report.ts';
import type { LentUser } from './isolation/types.ts';
import type { LaunchedProcess, Launcher, ProcessEnd } from './launcher.ts';
import type { Instrument } from './profilers/types.ts';

/** Why a worker won't take a dispatch. The master queues the run again, except after `STALE`. */
export interface DispatchRefusal {
  readonly code: 'STALE' | 'UNKNOWN_DOMAIN' | 'NO_TASK_FILE' | 'STOPPING' | 'FULL' | 'DISK_FULL';
  readonly message: string;
}

export interface AttemptDependencies {
  readonly clock: Clock;
  readonly launcher: Launcher;
  /** Failure: a sentence that says why not here. */
  readonly instrument: (measure: Measure) => Outcome<Instrument, string>;
  readonly partitions: Pick<Partitions, 'enter' | 'view' | 'observe'>;
  readonly topology: Pick<Topology, 'cpuModel'>;
  readonly onStarted: (atMs: number) => void;
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
  /** Whom it runs as; set and given back by the worker. */
  user: LentUser | null = null;
  phase: 'running' | 'reporting' = 'running';
  readonly #deps: AttemptDependencies;
  readonly #kill = new AbortController();
  readonly #abandon = new AbortController();
  readonly #gone = Promise.withResolvers<void>();
  #cause: StopCause | null = null;
  #process: LaunchedProcess | null = null;
  #end: ProcessEnd | null = null;

  constructor(dispatch: Dispatch, domain: LlcDomain, dependencies: AttemptDependencies) {
    this.dispatch = dispatch;
    this.domain = domain;
    this.#deps = dependencies;
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

  /**
   * Resolves when the program is over and nothing of it is alive. Null: there was no room for it here, of which nothing
   * is told; the master finds it gone and queues it again.
   */
  async carryOut(filePath: string, outputLimitBytes: number): Promise<AttemptReport | null> {
    const { clock, launcher, instrument: find, onStarted } = this.#deps;
    const { dispatch } = this;
    const { cpus } = this.domain;
    const { user } = this;
    if (user === null) throw new Error('the attempt has no user');
    const instrument = dispatch.measure === null ? succeed(null) : find(dispatch.measure);
    if (!instrument.ok) {
      const failure = { code: 'NOT_STARTED', message: instrument.error } as const;
      return this.#report({ launched: null, failure });
    }
    const order = { ...dispatch, user, filePath, cpus, outputLimitBytes, enter: this.#enter() };
    const launched = await launcher.launch({ ...order, instrument: instrument.value }, this.#kill.signal);
    if (!launched.ok && launched.error.code === 'NO_ROOM') return null;
    if (!launched.ok) return this.#report({ launched: null, failure: launched.error });
    this.#process = launched.value;
    onStarted(launched.value.startedAtMs);
    const cancelLimit =
      dispatch.timeLimitMs > LONGEST_TIMER_MS
        ? () => undefined
        : clock.after(dispatch.timeLimitMs, () => this.stop('timed_out'));
    this.#end = await launched.value.ended;
    cancelLimit();
    const report = this.#report({ launched: launched.value, end: this.#end }, await this.#cacheUse());
    if (instrument.value === null) return report;
    return withReading(report, instrument.value.reading(this.#end.executionTimeNs));
  }

  /**
   * Null where nothing but accounts holds the ways: a latch would only cost time. That they can't be held is no
   * failure.
   */
  #enter(): ((pid: number) => Promise<void>) | null {
    const { lease } = this;
    const { partitions } = this.#deps;
    if (lease === null || partitions.view().state === 'counting') return null;
    return async (pid) => {
      await partitions.enter(lease, pid);
    };
  }

  /** Counters stay with the group when its last process is gone. Null when none has said anything. */
  async #cacheUse(): Promise<CacheUse | null> {
    if (this.lease === null) return null;
    const seen = await this.#deps.partitions.observe(this.lease);
    const said = seen.occupancyBytes ?? seen.bandwidthBytesPerSecond ?? seen.localBandwidthBytesPerSecond;
    return said === null ? null : seen;
  }

  #report(ending: AttemptEnding, cacheUse: CacheUse | null = null): AttemptReport {
    const standing = this.lease?.recorded ?? { enforcement: 'unenforced', reason: 'it held no ways' };
    const { ways, wayBytes } = this.domain;
    return attemptReport(this.dispatch, ending, {
      standing,
      cause: this.#cause,
      cacheUse,
      atMs: this.#deps.clock.nowMs(),
      llc: { ways, wayBytes, cpuModel: this.#deps.topology.cpuModel },
    });
  }

  output(stream: OutputStream, offset: number): { readonly bytes: Uint8Array; readonly ended: boolean } {
    const kept: CapturedOutput | null = this.#end?.[stream] ?? null;
    if (kept !== null) return { bytes: kept.bytes.slice(Math.max(offset, 0)), ended: true };
    const bytes = this.#process?.output(stream, offset) ?? new Uint8Array();
    return { bytes, ended: this.phase === 'reporting' };
  }
}

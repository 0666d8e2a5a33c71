/** Carries out the attempts that masters dispatch to this node, inside the ways that they reserve. */
import type {
  AttemptReport,
  Dispatch,
  HeldAttempt,
  OutputStream,
  StartedNotice,
} from '../../protocols/schema/attempt.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import type { Measure } from '../../protocols/schema/task.ts';
import type { Partitions } from '../llc/partitions/types.ts';
import type { Topology } from '../llc/types.ts';
import type { Clock, Logger, Random } from '../ports.ts';
import { Attempt, type DispatchRefusal } from './attempt.ts';
import { sound } from './attempt-report.ts';
import { describeCapacity, type WorkerCapacity } from './capacity.ts';
import { Fences } from './fences.ts';
import type { Launcher } from './launcher.ts';
import { type Delivery, Outbox } from './outbox.ts';
import type { Instrument } from './profilers/types.ts';

export interface WorkerOptions {
  /** Kept of each output stream of a run, bytes. @default 1048576 */
  readonly outputLimitBytes?: number;
}

export interface WorkerDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly topology: Topology;
  readonly launcher: Launcher;
  /** Lends the ways; the worker starts and stops it. */
  readonly partitions: Partitions;
  /** For a run that is to be measured. Failure: a sentence that says why not here. */
  readonly instrument: (measure: Measure) => Outcome<Instrument, string>;
  /** Why no run is started now for want of room on the disk; null: there is room. */
  readonly shortage: () => string | null;
  /** Path of the task's file, fetched if need be; null when no member gave it. Settles soon after an abort. */
  readonly taskFile: (dispatch: Dispatch, signal: AbortSignal) => Promise<string | null>;
  /** Free ways or runs have changed. */
  readonly onChange: () => void;
  readonly deliverStarted: (notice: StartedNotice) => void;
  readonly deliverReport: (report: AttemptReport) => Promise<Delivery>;
}

/** Runs whose newest dispatch is remembered. */
const FENCES = 65536;
const DEFAULT_OUTPUT_LIMIT_BYTES = 1024 * 1024;

export class Worker implements AsyncDisposable {
  readonly #outputLimitBytes: number;
  readonly #deps: WorkerDependencies;
  readonly #outbox: Outbox;
  readonly #fences = new Fences(FENCES);
  readonly #attempts = new Set<Attempt>();
  #state: 'new' | 'running' | 'stopping' = 'new';
  #stopped: Promise<void> | null = null;

  constructor(options: WorkerOptions, dependencies: WorkerDependencies) {
    this.#outputLimitBytes = options.outputLimitBytes ?? DEFAULT_OUTPUT_LIMIT_BYTES;
    this.#deps = dependencies;
    const { clock, random, logger, deliverReport } = dependencies;
    this.#outbox = new Outbox({ clock, random, logger, deliver: deliverReport });
  }

  /** Sweeps what an earlier start of the daemon left; only then are dispatches taken. */
  async start(): Promise<void> {
    await this.#deps.launcher.start();
    await this.#deps.partitions.start();
    if (this.#state === 'new') this.#state = 'running';
  }

  /** Kills all attempts and reports none. Others may follow: a node that was removed may be let in again. */
  abandonAll(): void {
    for (const attempt of this.#attempts) attempt.abandon();
  }

  /** Kills all attempts and reports none: the master notices that this node is gone and queues them again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Ok: the attempt is held, and a report will follow. The same order again is ok and changes nothing; a newer one of
   * the same run kills the older. Ways are held until the program is over; a result that waits for a master holds none.
   */
  dispatch(dispatch: Dispatch): Promise<Outcome<void, DispatchRefusal>> {
    const { runId, attempt: number, term } = dispatch;
    if (this.#state !== 'running') return refuse('STOPPING', 'this node is stopping');
    const domain = this.#deps.topology.domains.find((candidate) => candidate.id === dispatch.domain);
    if (domain === undefined)
      return refuse('UNKNOWN_DOMAIN', `this node has no LLC domain ${dispatch.domain}`);
    const ofRun = [...this.#attempts].filter((attempt) => attempt.dispatch.runId === runId);
    const twin = ofRun.find((attempt) => isSame(attempt.dispatch, dispatch) && !attempt.abandoned.aborted);
    if (twin?.accepted) return twin.accepted;
    const verdict = this.#fences.judge(runId, dispatch);
    if (verdict === 'stale') return refuse('STALE', 'a newer attempt of this run was seen');
    if (verdict === 'same') return Promise.resolve(succeed(undefined));
    for (const older of ofRun) older.abandon();
    const shortage = this.#deps.shortage();
    if (shortage !== null) return refuse('DISK_FULL', shortage);
    const attempt = new Attempt(dispatch, domain, {
      ...this.#deps,
      onStarted: (atMs) => this.#deps.deliverStarted({ runId, attempt: number, term, atMs }),
    });
    this.#attempts.add(attempt);
    attempt.accepted = this.#accept(attempt, ofRun);
    return attempt.accepted;
  }

  /** False when this attempt isn't running here. It is reported as cancelled. */
  cancel(runId: string, attempt: number): boolean {
    const found = this.#find(runId, attempt);
    if (found === undefined || found.phase !== 'running') return false;
    found.stop('cancelled');
    return true;
  }

  held(): HeldAttempt[] {
    return [...this.#attempts]
      .filter((attempt) => !attempt.abandoned.aborted)
      .map(({ dispatch: { runId, attempt, term, domain, ways }, phase }) => {
        return { runId, attempt, term, domain, ways, phase };
      });
  }

  /** What an attempt has written so far, from byte `offset` of what is kept; null when it isn't held. */
  output(
    runId: string,
    attempt: number,
    stream: OutputStream,
    offset: number,
  ): { readonly bytes: Uint8Array; readonly ended: boolean } | null {
    return this.#find(runId, attempt)?.output(stream, offset) ?? null;
  }

  capacity(): WorkerCapacity {
    const holding = [...this.#attempts].filter((attempt) => attempt.lease !== null);
    return describeCapacity(
      this.#deps.topology,
      this.#deps.partitions,
      holding.map(({ dispatch }) => dispatch),
    );
  }

  /** Everything between a dispatch and the answer to it. */
  async #accept(attempt: Attempt, older: readonly Attempt[]): Promise<Outcome<void, DispatchRefusal>> {
    const { dispatch } = attempt;
    // Two attempts of a run may bear the same number and so the same working directory.
    await Promise.all(older.map((other) => other.gone));
    const refusal = attempt.abandoned.aborted ? null : await this.#acquire(attempt);
    if (refusal !== null) return this.#decline(attempt, refusal);
    const file = attempt.abandoned.aborted ? null : await this.#fetch(attempt);
    if (attempt.abandoned.aborted) {
      const code = this.#state === 'running' ? 'STALE' : 'STOPPING';
      return this.#decline(attempt, { code, message: 'the attempt was given up before it started' });
    }
    if (file === null) {
      const message = `the file of task ${dispatch.taskId} is neither here nor to be had from another member`;
      return this.#decline(attempt, { code: 'NO_TASK_FILE', message });
    }
    this.#fences.accept(dispatch.runId, dispatch);
    void this.#carryOut(attempt, file);
    return succeed(undefined);
  }

  async #decline(attempt: Attempt, refusal: DispatchRefusal): Promise<Outcome<never, DispatchRefusal>> {
    await this.#drop(attempt);
    return fail(refusal);
  }

  /** Null, or why not. */
  async #acquire(attempt: Attempt): Promise<DispatchRefusal | null> {
    const { runId, attempt: number, domain, ways, sensitive } = attempt.dispatch;
    const acquired = await this.#deps.partitions.acquire({ runId, attempt: number, domain, ways, sensitive });
    if (!acquired.ok) {
      const { code, message } = acquired.error;
      return { code: code === 'BAD_WAYS' ? 'FULL' : code, message };
    }
    attempt.lease = acquired.value;
    this.#deps.onChange();
    const lent = await this.#deps.launcher.lendUser(runId, number);
    if (!lent.ok) return { code: 'FULL', message: lent.error };
    attempt.user = lent.value;
    return null;
  }

  async #fetch(attempt: Attempt): Promise<string | null> {
    try {
      return await this.#deps.taskFile(attempt.dispatch, attempt.abandoned);
    } catch (error) {
      this.#deps.logger.warn({ err: error, runId: attempt.dispatch.runId }, 'task file could not be had');
      return null;
    }
  }

  async #carryOut(attempt: Attempt, file: string): Promise<void> {
    try {
      const ended = await attempt.carryOut(file, this.#outputLimitBytes);
      if (ended === null)
        return this.#deps.logger.warn({ runId: attempt.dispatch.runId }, 'no room for a run');
      const report = sound(ended);
      attempt.phase = 'reporting';
      await this.#release(attempt);
      const { runId, attempt: number, state } = report;
      const delivery = await this.#outbox.send(report, attempt.abandoned);
      this.#deps.logger.debug({ runId, attempt: number, state, delivery }, 'attempt is over');
    } catch (error) {
      this.#deps.logger.error({ err: error, runId: attempt.dispatch.runId }, 'attempt broke down');
    } finally {
      await this.#drop(attempt);
    }
  }

  async #release(attempt: Attempt): Promise<void> {
    const { lease } = attempt;
    if (lease === null) return;
    attempt.lease = null;
    await this.#deps.partitions.release(lease);
    this.#deps.onChange();
  }

  async #drop(attempt: Attempt): Promise<void> {
    try {
      await this.#release(attempt);
    } catch (error) {
      this.#deps.logger.error({ err: error, runId: attempt.dispatch.runId }, 'ways could not be given back');
    } finally {
      await attempt.user?.release();
      this.#attempts.delete(attempt);
      attempt.markGone();
    }
  }

  /** Of two terms' attempts with the same number the one that wasn't given up. */
  #find(runId: string, attempt: number): Attempt | undefined {
    return [...this.#attempts].find(
      (held) => held.dispatch.runId === runId && held.dispatch.attempt === attempt && !held.abandoned.aborted,
    );
  }

  async #stop(): Promise<void> {
    this.#state = 'stopping';
    this.#outbox.stop();
    this.abandonAll();
    await Promise.all([...this.#attempts].map((attempt) => attempt.gone));
    await this.#deps.partitions.stop();
    await this.#deps.launcher.stop();
  }
}

function isSame(a: Dispatch, b: Dispatch): boolean {
  return a.runId === b.runId && a.term === b.term && a.attempt === b.attempt;
}

function refuse(code: DispatchRefusal['code'], message: string): Promise<Outcome<never, DispatchRefusal>> {
  return Promise.resolve(fail({ code, message }));
}

/** What is told of an attempt that is over. Pure. */
import { AttemptReport, type AttemptResult, type Dispatch } from '../../protocols/schema/attempt.ts';
import { explain, isValid } from '../../protocols/schema/check.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { CacheUse, Llc, Measurement } from '../../protocols/schema/run.ts';
import type { Standing } from '../llc/partitions/types.ts';
import type { LaunchedProcess, LaunchFailure, ProcessEnd } from './launcher.ts';

export type StopCause = 'cancelled' | 'timed_out';

/** How it came out: nothing was started, or it ran. */
export type AttemptEnding =
  | { readonly launched: null; readonly failure: LaunchFailure }
  | {
      readonly launched: Pick<LaunchedProcess, 'pid' | 'cpus' | 'startedAtMs' | 'isolation'>;
      readonly end: ProcessEnd;
    };

/** Exit status of a shell for a command that can't be started (POSIX, Shell Command Language, 2.8.2). */
const NOT_STARTED_STATUS = 127;

export interface AttemptContext {
  /** How its ways were held. */
  readonly standing: Standing;
  /** Why it was ordered to stop, null when it wasn't. */
  readonly cause: StopCause | null;
  /** What its counters said; null when they said nothing. */
  readonly cacheUse: CacheUse | null;
  readonly atMs: number;
  /** The last-level cache that it ran on. */
  readonly llc: Llc;
}

export function attemptReport(
  dispatch: Dispatch,
  ending: AttemptEnding,
  context: AttemptContext,
): AttemptReport {
  const { runId, attempt, term } = dispatch;
  const verdict = judge(dispatch, ending, context.cause);
  return { runId, attempt, term, atMs: context.atMs, result: toResult(ending, context), ...verdict };
}

/**
 * What is reported if any of it is out of bounds, such as counts that the program itself wrote: no master could take
 * the report, and nobody would ever hear that the run is over.
 */
export function sound(report: AttemptReport): AttemptReport {
  const fits: boolean = isValid(AttemptReport, report);
  if (fits) return report;
  const error = `its result can't be told: ${explain(AttemptReport, report)}`;
  return { ...report, state: 'failed', result: null, error };
}

function judge(
  dispatch: Dispatch,
  ending: AttemptEnding,
  cause: StopCause | null,
): Pick<AttemptReport, 'state' | 'error'> {
  if (ending.launched === null) {
    if (ending.failure.code === 'KILLED')
      return { state: 'cancelled', error: 'the run was cancelled before it started' };
    return { state: 'failed', error: ending.failure.message };
  }
  const { exitStatus, signal, killed, outOfMemoryAtBytes, overDisk } = ending.end;
  // A program that ended by itself just before it would have been killed has its own result.
  if (killed && signal === 'SIGKILL') {
    if (cause === 'timed_out') return { state: 'timed_out', error: describeTimeout(dispatch.timeLimitMs) };
    if (overDisk !== null && cause === null) return { state: 'failed', error: overDisk };
    return { state: 'cancelled', error: 'the run was cancelled' };
  }
  if (exitStatus === 0) return { state: 'succeeded', error: null };
  if (outOfMemoryAtBytes !== null) return { state: 'failed', error: describeOutOfMemory(outOfMemoryAtBytes) };
  return { state: 'failed', error: describeFailure(exitStatus, signal) };
}

function describeOutOfMemory(limitBytes: number): string {
  const limit = `${Math.round(limitBytes / 1024 ** 2)} MiB`;
  return `the program was killed because it used up the ${limit} of memory that a run may have on this node; give it a smaller input, or raise --memory-limit`;
}

function describeTimeout(timeLimitMs: number): string {
  const limit = `${timeLimitMs / 1000} s`;
  return `the program was stopped at its time limit of ${limit}; allow the run more time, or give it a smaller input`;
}

function describeFailure(exitStatus: number, signal: string | null): string {
  if (signal === 'SIGKILL') {
    return 'the program was killed (SIGKILL), but not by this node: the machine may have run out of memory';
  }
  if (signal === 'SIGXFSZ') {
    return 'the program wrote a file larger than a run may keep on disk on this node; let it write less, or raise --disk-limit';
  }
  if (signal !== null) return `the program was ended by ${signal}; its standard error may say why`;
  if (exitStatus === 126 || exitStatus === NOT_STARTED_STATUS) {
    const usual =
      'which usually means that a program (or the one in its #! line) is missing or not executable';
    return `the program ended with exit status ${exitStatus}, ${usual}; its standard error says which`;
  }
  return `the program ended with exit status ${exitStatus}; its standard error may say why`;
}

function toResult(
  ending: AttemptEnding,
  { standing, cacheUse, atMs, llc }: AttemptContext,
): AttemptResult | null {
  const held = { enforcement: standing.enforcement, enforcementReason: standing.reason, measurement: null };
  if (ending.launched !== null) {
    const { pid, cpus, startedAtMs, isolation } = ending.launched;
    const { exitStatus, signal, stdout, stderr, executionTimeNs } = ending.end;
    const seen = { exitStatus, signal, stdout, stderr, executionTimeNs };
    return { ...held, ...seen, pid, cpus, startedAtMs, isolation, cacheUse, llc };
  }
  if (ending.failure.code === 'KILLED') return null;
  const nothing = { bytes: new Uint8Array(), truncated: false };
  return {
    ...held,
    pid: null,
    exitStatus: NOT_STARTED_STATUS,
    signal: null,
    stdout: nothing,
    stderr: nothing,
    executionTimeNs: 0,
    startedAtMs: atMs,
    cpus: [],
    cacheUse: null,
    isolation: null,
    llc: null,
  };
}

/** Adds what the instrument says. A run that was to be measured, and wasn't, has failed at what it was for. */
export function withReading(report: AttemptReport, reading: Outcome<Measurement, string>): AttemptReport {
  if (report.state !== 'succeeded' || report.result === null) return report;
  if (reading.ok) return { ...report, result: { ...report.result, measurement: reading.value } };
  const error = `the program ran, but could not be measured: ${reading.error}`;
  return { ...report, state: 'failed', error };
}

/**
 * The process port of the worker: `process-launcher.ts` starts real programs, unit tests bring a fake.
 *
 * marks     the environment variables by which every process of one attempt is known, whatever became of its parents
 * swept     nothing that the program started is alive, its working directory is gone
 */
import type { CapturedOutput, Dispatch } from '../../protocols/schema/attempt.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { Isolation } from '../../protocols/schema/run.ts';
import type { LentUser } from './isolation/types.ts';
import type { Instrument } from './profilers/types.ts';

/** One program to start; the task's file has `fileName` in the working directory. */
export interface LaunchOrder
  extends Pick<
    Dispatch,
    'runId' | 'attempt' | 'taskId' | 'fileName' | 'command' | 'inputSize' | 'parameters' | 'secrets'
  > {
  /** The task's file on this node; it is copied. */
  readonly filePath: string;
  /** Lent by `lendUser` for this run and attempt. */
  readonly user: LentUser;
  /** CPUs to pin it to, ascending. */
  readonly cpus: readonly number[];
  /** Kept of each stream, bytes. */
  readonly outputLimitBytes: number;
  /** What the program is started under, and what is shown its working directory at the end. @default null */
  readonly instrument?: Instrument | null;
  /**
   * Puts the process where it belongs, called before the program's first instruction. Its children follow. When it
   * rejects, the program isn't started.
   */
  readonly enter?: ((pid: number) => Promise<void>) | null;
}

/** Why nothing was started; nothing is left behind. `message` says what to do. */
export interface LaunchFailure {
  readonly code:
    | 'BAD_COMMAND'
    | 'NOT_FOUND'
    | 'NOT_EXECUTABLE'
    | 'NOT_STARTED'
    /** There was no room on the disk, which says nothing of the program. */
    | 'NO_ROOM'
    | 'KILLED';
  readonly message: string;
}

export interface ProcessEnd {
  /** 0..255; 128 + signal number when a signal ended it. */
  readonly exitStatus: number;
  readonly signal: string | null;
  readonly executionTimeNs: number;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
  /** Whether the order to kill it came while it still ran. */
  readonly killed: boolean;
  /** The limit of all its processes together, for which the kernel killed some; null: it killed none. */
  readonly outOfMemoryAtBytes: number | null;
  /** Why it was ended for what it kept on disk; null: it wasn't. */
  readonly overDisk: string | null;
}

export interface LaunchedProcess {
  readonly pid: number;
  /** CPUs that it is pinned to; empty when it could not be pinned. */
  readonly cpus: readonly number[];
  readonly startedAtMs: number;
  readonly isolation: Isolation;
  /** What it has written so far, from byte `offset` of what is kept. */
  output(stream: 'stdout' | 'stderr', offset: number): Uint8Array;
  /** Resolves once it is swept; never rejects. */
  readonly ended: Promise<ProcessEnd>;
}

export interface Launcher {
  /** Learns what the machine offers and sweeps what an earlier start of the daemon left. */
  start(): Promise<void>;
  /** Called when no process is left. */
  stop(): Promise<void>;
  /** Whom an attempt runs as, until it is released. Failure: a sentence that says why none is free now. */
  lendUser(runId: string, attempt: number): Promise<Outcome<LentUser, string>>;
  /** An abort of `kill` kills the program and all that it started; before the start it gives `KILLED`. */
  launch(order: LaunchOrder, kill: AbortSignal): Promise<Outcome<LaunchedProcess, LaunchFailure>>;
}

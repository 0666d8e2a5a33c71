import type { Dispatch, HeldAttempt } from '../../protocols/control/index.ts';
import type { RunResult, TerminalState } from '../state/types.ts';

export type { Dispatch, HeldAttempt };

/** Why a worker won't take a dispatch. The master queues the run again, except after `STALE`. */
export interface DispatchRefusal {
  readonly code: 'STALE' | 'UNKNOWN_DOMAIN' | 'NO_TASK_FILE' | 'STOPPING' | 'FULL';
  readonly message: string;
}

/** What became of one attempt. Sent to the master, again and again, until one takes it. */
export interface AttemptReport {
  readonly runId: string;
  readonly attempt: number;
  readonly term: number;
  readonly state: Exclude<TerminalState, 'lost'>;
  readonly result: AttemptResult | null;
  readonly error: string | null;
  readonly atMs: number;
}

/** As `RunResult`, with the output still in bytes. */
export type AttemptResult = Omit<RunResult, 'stdout' | 'stderr'> & {
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
};

export interface CapturedOutput {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
}

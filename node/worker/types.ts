// TEMPORARY
export type {
  AttemptReport,
  AttemptResult,
  CapturedOutput,
  Dispatch,
  HeldAttempt,
} from '../../protocols/schema/attempt.ts';
// END TEMPORARY

/** Why a worker won't take a dispatch. The master queues the run again, except after `STALE`. */
export interface DispatchRefusal {
  readonly code: 'STALE' | 'UNKNOWN_DOMAIN' | 'NO_TASK_FILE' | 'STOPPING' | 'FULL';
  readonly message: string;
}

/** Calls between members: one short stream a call, one `ControlRequest`, one `ControlResponse`, each a frame. */
export const CONTROL_PROTOCOL = '/fsched/control/1.0.0';
/** A report carries both output streams of a run, of at most 3 MiB each. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
/** @default of a call's time limit */
export const CALL_LIMIT_MS = 5000;
/** The answerer gives up later than any caller. */
export const SERVE_LIMIT_MS = 60_000;

// TEMPORARY
export type {
  AttemptReport,
  AttemptResult,
  CapturedOutput,
  Dispatch,
  HeldAttempt,
} from '../schema/attempt.ts';
export type { ControlRequest, ControlResponse } from '../schema/messages.ts';
export type { CacheUse, CounterSummary, Isolation, Llc, Measurement, ProcessCensus } from '../schema/run.ts';
export type { Measure } from '../schema/task.ts';
// END TEMPORARY

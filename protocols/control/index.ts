/** Calls between members: one short stream a call, one `ControlRequest`, one `ControlResponse`, each a frame. */
export const CONTROL_PROTOCOL = '/fsched/control/1.0.0';
/** A report carries both output streams of a run, of at most 3 MiB each. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
/** @default of a call's time limit */
export const CALL_LIMIT_MS = 5000;
/** The answerer gives up later than any caller. */
export const SERVE_LIMIT_MS = 60_000;

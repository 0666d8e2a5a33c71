/**
 * A node's own view of itself, an `Inspection`. A member asks and gets it; anyone else (the CLI) proves the token first
 * (../proof).
 *
 *     InspectRequest -> ; [proof, by strangers] ; <- Inspection
 */
export const INSPECT_PROTOCOL = '/fsched/inspect/1.0.0';
export const INSPECT_PURPOSE = 'inspect';
export const MAX_REQUEST_BYTES = 256;
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const INSPECT_LIMIT_MS = 10_000;

/**
 * A node's own view of itself, an `Inspection`. A member asks and gets it; anyone else (the CLI) first proves that it
 * holds a join token, or has the key of a member or of this node itself (../proof).
 *
 *     InspectRequest -> ; [proof, by strangers] ; <- Inspection
 */
export const INSPECT_PROTOCOL = '/fsched/inspect/2.0.0';
export const INSPECT_PURPOSE = 'inspect';
export const MAX_REQUEST_BYTES = 256;
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const INSPECT_LIMIT_MS = 10_000;

/**
 * Long-lived, one-way streams that carry consensus frames from one member to another; each end opens its
 * own. A frame is a length prefix, one byte of kind, and the payload:
 *
 *     RAFT  bytes that this room doesn't look into
 *     PING  8 bytes, which come back as they are on the other direction's stream
 *     PONG  those 8 bytes
 *
 * Frames of one stream arrive in order or, when the stream breaks, not at all. Nothing is sent again.
 */
export const LINK_PROTOCOL = '/fsched/link/1.0.0';

export const FrameKind = { RAFT: 0, PING: 1, PONG: 2 } as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export const PING_BYTES = 8;
/** Longest payload. */
export const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;
/** What may wait to be sent to one peer; a frame beyond that is dropped (consensus sends it again). */
export const MAX_QUEUED_BYTES = 8 * 1024 * 1024;

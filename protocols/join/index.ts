/**
 * Joining a cluster, or being invited into one: a proof of the token both ways (../proof), then one
 * `JoinRequest` and one `JoinResponse`. The only protocol, with `inspect`, that a stranger may open.
 */
export const JOIN_PROTOCOL = '/fsched/join/1.0.0';
export const JOIN_PURPOSE = 'join';
/** For a cluster of some thousand members. */
export const MAX_FRAME_BYTES = 2 * 1024 * 1024;
/** From the opened stream to the end of the proof. */
export const PROOF_LIMIT_MS = 10_000;
/** From there to the answer: the answerer's cluster must commit a member first. */
export const ANSWER_LIMIT_MS = 30_000;

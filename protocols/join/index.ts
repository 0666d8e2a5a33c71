/**
 * Joining a cluster, or being invited into one: a proof of the token both ways (../proof), then one
 * `JoinRequest` and one `JoinResponse`. The only protocol, with `inspect`, that a stranger may open.
 */
import { digestOf } from '../proof/signature.ts';
import { JoinRequest } from '../schema/messages.ts';
import { encode } from '../wire/codec.ts';

export const JOIN_PROTOCOL = '/fsched/join/2.0.0';
/** For a cluster of some thousand members. */
export const MAX_FRAME_BYTES = 2 * 1024 * 1024;
/** From the opened stream to the end of the proof. */
export const PROOF_LIMIT_MS = 10_000;
/** From there to the answer: the answerer's cluster must commit a member first. */
export const ANSWER_LIMIT_MS = 30_000;

/** What a proof of either kind of request is for: nobody on its way to the master can change the request. */
export const purposeOf = (
  request: JoinRequest,
): { readonly purpose: string; readonly about: Uint8Array } => ({
  purpose: request.type,
  about: digestOf(encode(JoinRequest, request)),
});

/**
 * Proof that the other end of a stream knows a join token, or has the key of a peer id, without sending either.
 *
 *     dialler                                           answerer
 *     ProofHello { nonce D, purpose, about, bearer }  ->
 *                                                    <- ProofChallenge { nonce A }
 *     ProofShown { proof("dialler") }                 ->
 *                                                    <- ProofVerdict { proof("answerer") } or { refusal }
 *
 * From the text of a token follows a pair of Ed25519 keys (token-keys.ts). The cluster keeps the public one, and tells
 * it to its members only. Who holds the text *signs*; who is a member shows a *MAC* under the public key, by which the
 * bearer knows that it reached its cluster. So a member can check the proof of a node that it never met, can't make
 * one up for a friend, and can't come back by a token of others once it was removed. To invite a node (purpose
 * `invite`), the member is the dialler: it names no bearer, the challenge names the token of the node that waits, the
 * dialler shows the MAC and the answerer signs.
 *
 * What is signed, and what the MAC is of: this protocol's name, the role of who shows it, the peer ids of dialler and
 * answerer as Noise proved them, both nonces, the purpose, and the SHA-256 of what is asked for, each behind its
 * length. So it can't be replayed (nonces), reflected (role), relayed to a third peer (peer ids), or used for another
 * purpose or request. The answerer shows its half only to who has shown one: a stranger who dials gets nothing that a
 * guess could be checked against. A fake answerer does get one; tokens that this program makes have 256 random bits,
 * which is what makes that worthless.
 */
import type { Bearer, ProofRefusal } from '../schema/messages.ts';

export const DOMAIN = 'fsched/token-proof/2';
/** No message of the proof is longer. */
export const MAX_FRAME_BYTES = 512;

/** Who takes part in a proof, and what for. */
export interface ProofParties {
  /** Peer ids in text form, as Noise proved them. */
  readonly dialler: string;
  readonly answerer: string;
  readonly purpose: string;
  /** SHA-256 of the request that follows, or nothing. */
  readonly about: Uint8Array;
}

/** What a node proves itself by. */
export interface Credential {
  readonly bearer: Bearer;
  /** Of an Ed25519 key: 32 bytes. */
  readonly seed: Uint8Array;
}

/** The same, when that is a join token. */
export type TokenCredential = Credential & { readonly bearer: Extract<Bearer, { readonly type: 'token' }> };

/** What an answerer knows of a bearer. */
export interface Known {
  /** Public key, Ed25519: 32 bytes. */
  readonly key: Uint8Array;
  /** Why it doesn't hold any more; told only to who has proved it. */
  readonly refusal: ProofRefusal | null;
}

/** Null: nobody knows it. `not-ready`: this node doesn't know all that its cluster does. */
export type LookUp = (bearer: Bearer) => Known | null | 'not-ready';

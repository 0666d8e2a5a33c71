/**
 * Proof that both ends of a stream know the cluster's join token, without sending it.
 *
 *     dialler                                answerer
 *     ProofHello { nonce D, purpose }      ->
 *                                     <-     ProofChallenge { nonce A }
 *     ProofShown { mac("dialler") }        ->
 *                                     <-     ProofVerdict { mac("answerer") } or { refusal }
 *
 * A mac is HMAC-SHA-256 under the token of: this protocol's name, the role of who shows it, the peer ids of
 * dialler and answerer as Noise proved them, both nonces and the purpose, each behind its length (see
 * mac.ts). So it can't be replayed (nonces), reflected (role), relayed to a third peer (peer ids) or used
 * for another purpose. The answerer shows a mac only to who has shown one: a stranger who dials gets nothing
 * that a guess could be checked against. A fake answerer does get one; the token has 256 random bits, which
 * is what makes that worthless.
 */
export const DOMAIN = 'fsched/token-proof/1';
/** No message of the proof is longer. */
export const MAX_FRAME_BYTES = 256;

/** Who takes part in a proof. */
export interface ProofParties {
  /** Peer ids in text form, as Noise proved them. */
  readonly dialler: string;
  readonly answerer: string;
  readonly purpose: string;
}

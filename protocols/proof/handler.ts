import { randomBytes } from 'node:crypto';
import type { Stream } from '@libp2p/interface';
import {
  NONCE_BYTES,
  ProofChallenge,
  ProofHello,
  type ProofRefusal,
  ProofShown,
  ProofVerdict,
  type ShownProof,
} from '../schema/messages.ts';
import { fail, type Outcome, succeed } from '../schema/outcome.ts';
import type { TokenId } from '../schema/token.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { WireError } from '../wire/error.ts';
import type { StreamReader } from '../wire/reader.ts';
import { type LookUp, MAX_FRAME_BYTES, type ProofParties, type TokenCredential } from './index.ts';
import { isMac, isSignature, macOf, publicKeyOf, signatureOf, transcriptOf } from './signature.ts';

/**
 * Told whether the proof was right, says what the dialler is refused with, if it is, when it is time to say it. Isn't
 * asked of a token that is known and doesn't hold any more.
 */
export type ProofJudge = (right: boolean) => Promise<ProofRefusal | null>;

/** Peer ids of the two ends. */
type Ends = Pick<ProofParties, 'dialler' | 'answerer'>;

/** A key that nobody has: what an unknown bearer shows is checked by it, so that it takes as long as a known one's. */
const NOBODY = Uint8Array.from(
  Buffer.from('c24eadc79b70a8fabdd5bf32f4536d90f0f718dce45b59487a8b8cc5bec1b243', 'hex'),
);

/** @throws WireError */
export const readHello = (reader: StreamReader): Promise<ProofHello> =>
  readMessage(reader, ProofHello, MAX_FRAME_BYTES);

/**
 * The answerer's half to a bearer's hello. The bearer's proof, when it was right and the bearer has been shown that we
 * know it. Otherwise the refusal that it was told: what its token lacks is told only to who has proved it.
 * @throws WireError
 */
export async function proveAsAnswerer(
  stream: Stream,
  reader: StreamReader,
  hello: ProofHello,
  lookUp: LookUp,
  ends: Ends,
  judge: ProofJudge,
): Promise<Outcome<ShownProof, ProofRefusal>> {
  const { bearer } = hello;
  if (bearer === null) throw new WireError('MALFORMED', 'the hello names no bearer');
  const { parties, nonces, proof } = await challenge(stream, reader, hello, ends, null);
  const known = lookUp(bearer);
  if (known === 'not-ready') return refuse(stream, 'NOT_READY');
  const right =
    isSignature(known?.key ?? NOBODY, transcriptOf('dialler', parties, nonces), proof) && known !== null;
  if (right && known.refusal !== null) return refuse(stream, known.refusal);
  const refusal = await judge(right);
  if (!right || refusal !== null) return refuse(stream, refusal ?? 'WRONG_TOKEN');
  const ours = macOf(known.key, transcriptOf('answerer', parties, nonces));
  await sendMessage(stream, ProofVerdict, { type: 'proof', proof: ours }, MAX_FRAME_BYTES);
  return succeed({ bearer, ...nonces, signature: proof });
}

/**
 * The half of who waits to be called in, to a member's hello. Null: the dialler is a member of a cluster that has our
 * token, and has been shown that we hold it. Otherwise the refusal that it was told.
 * @throws WireError
 */
export async function inviteAsAnswerer(
  stream: Stream,
  reader: StreamReader,
  hello: ProofHello,
  own: TokenCredential | null,
  ends: Ends,
  judge: ProofJudge,
): Promise<ProofRefusal | null> {
  const { parties, nonces, proof } = await challenge(stream, reader, hello, ends, own?.bearer.id ?? null);
  const key = own === null ? NOBODY : publicKeyOf(own.seed);
  const right = isMac(key, transcriptOf('dialler', parties, nonces), proof) && own !== null;
  const refusal = await judge(right);
  if (!right || refusal !== null) {
    await refuse(stream, refusal ?? 'WRONG_TOKEN');
    return refusal ?? 'WRONG_TOKEN';
  }
  const ours = signatureOf(own, transcriptOf('answerer', parties, nonces));
  await sendMessage(stream, ProofVerdict, { type: 'proof', proof: ours }, MAX_FRAME_BYTES);
  return null;
}

async function challenge(
  stream: Stream,
  reader: StreamReader,
  { nonce, purpose, about }: ProofHello,
  ends: Ends,
  token: TokenId | null,
) {
  const ours = Uint8Array.from(randomBytes(NONCE_BYTES));
  await sendMessage(stream, ProofChallenge, { nonce: ours, token }, MAX_FRAME_BYTES);
  const { proof } = await readMessage(reader, ProofShown, MAX_FRAME_BYTES);
  return { parties: { ...ends, purpose, about }, nonces: { dialler: nonce, answerer: ours }, proof };
}

async function refuse(
  stream: Stream,
  code: ProofRefusal,
): Promise<{ readonly ok: false; readonly error: ProofRefusal }> {
  await sendMessage(stream, ProofVerdict, { type: 'refusal', code }, MAX_FRAME_BYTES);
  return fail(code);
}

import { randomBytes } from 'node:crypto';
import type { Stream } from '@libp2p/interface';
import {
  NONCE_BYTES,
  ProofChallenge,
  ProofHello,
  type ProofRefusal,
  ProofShown,
  ProofVerdict,
} from '../schema/messages.ts';
import { fail, type Outcome, succeed } from '../schema/outcome.ts';
import type { TokenId } from '../schema/token.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import type { StreamReader } from '../wire/reader.ts';
import { type Credential, type LookUp, MAX_FRAME_BYTES, type ProofParties } from './index.ts';
import { isMac, isSignature, macOf, publicKeyOf, signatureOf, transcriptOf } from './signature.ts';

/**
 * The dialler's half, when it is the bearer. Null: both ends know the token; else why not (WRONG_TOKEN also when it is
 * the answerer that couldn't prove it). Set no limit of time here: `within` does.
 * @throws WireError
 */
export async function proveAsDialler(
  stream: Stream,
  reader: StreamReader,
  credential: Credential,
  parties: ProofParties,
): Promise<ProofRefusal | null> {
  const ours = await sayHello(stream, parties, credential.bearer);
  const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
  const nonces = { dialler: ours, answerer: challenge.nonce };
  const proof = signatureOf(credential, transcriptOf('dialler', parties, nonces));
  await sendMessage(stream, ProofShown, { proof }, MAX_FRAME_BYTES);

  const verdict = await readMessage(reader, ProofVerdict, MAX_FRAME_BYTES);
  if (verdict.type === 'refusal') return verdict.code;
  const theirs = transcriptOf('answerer', parties, nonces);
  return isMac(publicKeyOf(credential.seed), theirs, verdict.proof) ? null : 'WRONG_TOKEN';
}

/**
 * The dialler's half, when it is a member that calls in who waits. The id of the token that the answerer has proved.
 * @throws WireError
 */
export async function inviteAsDialler(
  stream: Stream,
  reader: StreamReader,
  lookUp: LookUp,
  parties: ProofParties,
): Promise<Outcome<TokenId, ProofRefusal>> {
  const ours = await sayHello(stream, parties, null);
  const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
  if (challenge.token === null) return fail('NO_TOKEN');
  const known = lookUp({ type: 'token', id: challenge.token });
  if (known === 'not-ready') return fail('NOT_READY');
  if (known === null) return fail('WRONG_TOKEN');
  if (known.refusal !== null) return fail(known.refusal);
  const nonces = { dialler: ours, answerer: challenge.nonce };
  const proof = macOf(known.key, transcriptOf('dialler', parties, nonces));
  await sendMessage(stream, ProofShown, { proof }, MAX_FRAME_BYTES);

  const verdict = await readMessage(reader, ProofVerdict, MAX_FRAME_BYTES);
  if (verdict.type === 'refusal') return fail(verdict.code);
  const right = isSignature(known.key, transcriptOf('answerer', parties, nonces), verdict.proof);
  return right ? succeed(challenge.token) : fail('WRONG_TOKEN');
}

/** The nonce that it said. */
async function sayHello(
  stream: Stream,
  { purpose, about }: ProofParties,
  bearer: ProofHello['bearer'],
): Promise<Uint8Array> {
  // A secret's nonce is never taken from the seedable random port.
  const nonce = Uint8Array.from(randomBytes(NONCE_BYTES));
  await sendMessage(stream, ProofHello, { nonce, purpose, about, bearer }, MAX_FRAME_BYTES);
  return nonce;
}

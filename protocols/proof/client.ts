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
import { readMessage, sendMessage } from '../wire/codec.ts';
import type { StreamReader } from '../wire/reader.ts';
import { MAX_FRAME_BYTES, type ProofParties } from './index.ts';
import { proofMac, sameMac } from './mac.ts';

/**
 * The dialler's half. Null: both ends know the token; else why not (WRONG_TOKEN also when it is the
 * answerer that couldn't prove it). Set no limit of time here: `within` does.
 * @throws WireError
 */
export async function proveAsDialler(
  stream: Stream,
  reader: StreamReader,
  token: Uint8Array,
  parties: ProofParties,
): Promise<ProofRefusal | null> {
  // A secret's nonce is never taken from the seedable random port.
  const ours = randomBytes(NONCE_BYTES);
  const hello = { nonce: ours, purpose: parties.purpose };
  await sendMessage(stream, ProofHello, hello, MAX_FRAME_BYTES);

  const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
  const nonces = { dialler: ours, answerer: challenge.nonce };
  const mac = proofMac(token, 'dialler', parties, nonces);
  await sendMessage(stream, ProofShown, { mac }, MAX_FRAME_BYTES);

  const verdict = await readMessage(reader, ProofVerdict, MAX_FRAME_BYTES);
  if (verdict.type === 'refusal') return verdict.code;
  return sameMac(proofMac(token, 'answerer', parties, nonces), verdict.mac) ? null : 'WRONG_TOKEN';
}

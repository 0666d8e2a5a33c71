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
import { readMessage, sendMessage } from '../wire/codec.ts';
import { WireError } from '../wire/error.ts';
import type { StreamReader } from '../wire/reader.ts';
import { MAX_FRAME_BYTES, type ProofParties } from './index.ts';
import { isProof, proofMac } from './mac.ts';

/** Told whether the token was right, says what the dialler is refused with, if it is, when it is time to say it. */
export type ProofJudge = (right: boolean) => Promise<ProofRefusal | null>;

/**
 * The answerer's half. The dialler's proof, when it knows the token and has been shown that we do. Otherwise the
 * refusal that it was told, which `judge` chose.
 * @throws WireError
 */
export async function proveAsAnswerer(
  stream: Stream,
  reader: StreamReader,
  token: Uint8Array,
  parties: ProofParties,
  judge: ProofJudge,
): Promise<Outcome<ShownProof, ProofRefusal>> {
  const hello = await readMessage(reader, ProofHello, MAX_FRAME_BYTES);
  if (hello.purpose !== parties.purpose) throw new WireError('MALFORMED', 'the purpose is another');
  const ours = randomBytes(NONCE_BYTES);
  await sendMessage(stream, ProofChallenge, { nonce: ours }, MAX_FRAME_BYTES);

  const nonces = { dialler: hello.nonce, answerer: ours };
  const { mac } = await readMessage(reader, ProofShown, MAX_FRAME_BYTES);
  const shown = { ...nonces, mac };
  const right = isProof(token, parties, shown);
  const refusal = (await judge(right)) ?? (right ? null : 'WRONG_TOKEN');
  const verdict =
    refusal === null
      ? ({ type: 'mac', mac: proofMac(token, 'answerer', parties, nonces) } as const)
      : ({ type: 'refusal', code: refusal } as const);
  await sendMessage(stream, ProofVerdict, verdict, MAX_FRAME_BYTES);
  return refusal === null ? succeed(shown) : fail(refusal);
}

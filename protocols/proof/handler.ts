import { randomBytes } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import type { Stream } from '@libp2p/interface';
import { decodeMessage, malformed } from '../wire/message.ts';
import type { StreamReader } from '../wire/reader.ts';
import { writeFrame } from '../wire/writer.ts';
import { MAX_FRAME_BYTES, NONCE_BYTES, type ProofParties, type ProofRefusal } from './index.ts';
import { proofMac, sameMac } from './mac.ts';
import { ChallengeSchema, HelloSchema, ProofSchema, RefusalCode, VerdictSchema } from './proof_pb.ts';

/** Counts tries: told whether the token was right, says what the dialler is refused with, if it is. */
export type ProofJudge = (right: boolean) => ProofRefusal | null;

/**
 * The answerer's half. Null: the dialler knows the token and has been shown that we do. Otherwise the
 * refusal that it was told, which `judge` chose.
 * @throws WireError
 */
export async function proveAsAnswerer(
  stream: Stream,
  reader: StreamReader,
  token: Uint8Array,
  parties: ProofParties,
  judge: ProofJudge,
): Promise<ProofRefusal | null> {
  const hello = decodeMessage(HelloSchema, await reader.expectFrame(MAX_FRAME_BYTES));
  if (hello.nonce.length !== NONCE_BYTES) throw malformed('the nonce');
  if (hello.purpose !== parties.purpose) throw malformed('the purpose');
  const ours = randomBytes(NONCE_BYTES);
  await writeFrame(stream, toBinary(ChallengeSchema, create(ChallengeSchema, { nonce: ours })));

  const nonces = { dialler: hello.nonce, answerer: ours };
  const proof = decodeMessage(ProofSchema, await reader.expectFrame(MAX_FRAME_BYTES));
  const right = sameMac(proofMac(token, 'dialler', parties, nonces), proof.mac);
  const refusal = judge(right);
  const verdict =
    refusal === null && right
      ? { case: 'mac' as const, value: proofMac(token, 'answerer', parties, nonces) }
      : { case: 'refusal' as const, value: RefusalCode[refusal ?? 'WRONG_TOKEN'] };
  await writeFrame(stream, toBinary(VerdictSchema, create(VerdictSchema, { verdict })));
  return right ? refusal : (refusal ?? 'WRONG_TOKEN');
}

import { randomBytes } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import type { Stream } from '@libp2p/interface';
import { WireError } from '../wire/error.ts';
import { decodeMessage, malformed } from '../wire/message.ts';
import type { StreamReader } from '../wire/reader.ts';
import { writeFrame } from '../wire/writer.ts';
import { MAX_FRAME_BYTES, NONCE_BYTES, type ProofParties, type ProofRefusal } from './index.ts';
import { proofMac, sameMac } from './mac.ts';
import { ChallengeSchema, HelloSchema, ProofSchema, RefusalCode, VerdictSchema } from './proof_pb.ts';

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
  await writeFrame(
    stream,
    toBinary(HelloSchema, create(HelloSchema, { nonce: ours, purpose: parties.purpose })),
  );

  const challenge = decodeMessage(ChallengeSchema, await reader.expectFrame(MAX_FRAME_BYTES));
  if (challenge.nonce.length !== NONCE_BYTES) throw malformed('the nonce');
  const nonces = { dialler: ours, answerer: challenge.nonce };
  const mac = proofMac(token, 'dialler', parties, nonces);
  await writeFrame(stream, toBinary(ProofSchema, create(ProofSchema, { mac })));

  const { verdict } = decodeMessage(VerdictSchema, await reader.expectFrame(MAX_FRAME_BYTES));
  switch (verdict.case) {
    case 'mac':
      return sameMac(proofMac(token, 'answerer', parties, nonces), verdict.value) ? null : 'WRONG_TOKEN';
    case 'refusal':
      return refusalName(verdict.value);
    default:
      throw malformed('the verdict');
  }
}

function refusalName(code: RefusalCode): ProofRefusal {
  if (code === RefusalCode.WRONG_TOKEN) return 'WRONG_TOKEN';
  if (code === RefusalCode.BANNED) return 'BANNED';
  throw new WireError('MALFORMED', 'the refusal is unknown');
}

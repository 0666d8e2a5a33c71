import { isDeepStrictEqual } from 'node:util';
import type { Stream } from '@libp2p/interface';
import { inviteAsAnswerer, type ProofJudge, proveAsAnswerer, readHello } from '../proof/handler.ts';
import type { LookUp, TokenCredential } from '../proof/index.ts';
import { JoinRequest, JoinResponse, type ProofHello, type ShownProof } from '../schema/messages.ts';
import { fail, type Outcome, succeed } from '../schema/outcome.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { ANSWER_LIMIT_MS, MAX_FRAME_BYTES, PROOF_LIMIT_MS, purposeOf } from './index.ts';

export interface JoinHandlerOptions {
  /** What this end can be called in by; null: it doesn't wait. */
  readonly credential: TokenCredential | null;
  readonly lookUp: LookUp;
  readonly self: string;
  readonly peer: string;
}

export interface JoinHandlerDependencies {
  readonly timers: Timers;
  readonly judge: ProofJudge;
  /** `proof` is what the dialler showed of its token; null: it is a member that invites. */
  readonly onRequest: (request: JoinRequest, proof: ShownProof | null) => Promise<JoinResponse>;
}

/**
 * Serves one stream. True when the token was proved and the request answered.
 * @throws WireError
 */
export async function serveJoin(
  stream: Stream,
  options: JoinHandlerOptions,
  dependencies: JoinHandlerDependencies,
): Promise<boolean> {
  const { timers, judge, onRequest } = dependencies;
  const reader = new StreamReader(stream);
  const asked = await within(stream, PROOF_LIMIT_MS, timers, async () => {
    const hello = await readHello(reader);
    const proved = await prove(stream, reader, hello, options, judge);
    if (proved.ok) return { proof: proved.value, request: await readRequest(reader, hello) };
    await finishWriting(stream);
    return null;
  });
  if (asked === null) return false;
  await within(stream, ANSWER_LIMIT_MS, timers, async () => {
    await sendMessage(stream, JoinResponse, await onRequest(asked.request, asked.proof), MAX_FRAME_BYTES);
    await finishWriting(stream);
  });
  return true;
}

async function prove(
  stream: Stream,
  reader: StreamReader,
  hello: ProofHello,
  { credential, lookUp, self, peer }: JoinHandlerOptions,
  judge: ProofJudge,
): Promise<Outcome<ShownProof | null, unknown>> {
  const ends = { dialler: peer, answerer: self };
  if (hello.bearer !== null) return proveAsAnswerer(stream, reader, hello, lookUp, ends, judge);
  const refusal = await inviteAsAnswerer(stream, reader, hello, credential, ends, judge);
  return refusal === null ? succeed(null) : fail(refusal);
}

/** The request that was proved, and no other: neither another kind nor another content. */
async function readRequest(
  reader: StreamReader,
  { purpose, about, bearer }: ProofHello,
): Promise<JoinRequest> {
  const request = await readMessage(reader, JoinRequest, MAX_FRAME_BYTES);
  const proved = { purpose, about: Uint8Array.from(about) };
  const isKind = (request.type === 'invite') === (bearer === null);
  if (isKind && isDeepStrictEqual(purposeOf(request), proved)) return request;
  throw new WireError('MALFORMED', 'the request is another than was proved');
}

import type { Stream } from '@libp2p/interface';
import { type ProofJudge, proveAsAnswerer } from '../proof/handler.ts';
import { JoinRequest, JoinResponse, type ShownProof } from '../schema/messages.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { ANSWER_LIMIT_MS, JOIN_PURPOSE, MAX_FRAME_BYTES, PROOF_LIMIT_MS } from './index.ts';

export interface JoinHandlerOptions {
  readonly token: Uint8Array;
  readonly self: string;
  readonly peer: string;
}

export interface JoinHandlerDependencies {
  readonly timers: Timers;
  readonly judge: ProofJudge;
  /** `proof` is what the dialler showed of the token. */
  readonly onRequest: (request: JoinRequest, proof: ShownProof) => Promise<JoinResponse>;
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
  const parties = { dialler: options.peer, answerer: options.self, purpose: JOIN_PURPOSE };
  const asked = await within(stream, PROOF_LIMIT_MS, timers, async () => {
    const proof = await proveAsAnswerer(stream, reader, options.token, parties, judge);
    if (proof.ok)
      return { proof: proof.value, request: await readMessage(reader, JoinRequest, MAX_FRAME_BYTES) };
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

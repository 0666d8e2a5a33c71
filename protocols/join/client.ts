import type { Stream } from '@libp2p/interface';
import { proveAsDialler } from '../proof/client.ts';
import { JoinRequest, JoinResponse, type ProofRefusal } from '../schema/messages.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { ANSWER_LIMIT_MS, JOIN_PURPOSE, MAX_FRAME_BYTES, PROOF_LIMIT_MS } from './index.ts';

export interface JoinClientOptions {
  readonly token: Uint8Array;
  /** Peer ids of the two ends of the stream. */
  readonly self: string;
  readonly peer: string;
}

/**
 * Proves the token over a new stream, asks, and closes it.
 * @throws WireError
 */
export async function requestJoin(
  stream: Stream,
  request: JoinRequest,
  options: JoinClientOptions,
  dependencies: { readonly timers: Timers },
): Promise<JoinResponse | { readonly refusal: ProofRefusal }> {
  const { timers } = dependencies;
  const reader = new StreamReader(stream);
  const parties = { dialler: options.self, answerer: options.peer, purpose: JOIN_PURPOSE };
  const refusal = await within(stream, PROOF_LIMIT_MS, timers, () =>
    proveAsDialler(stream, reader, options.token, parties),
  );
  if (refusal !== null) {
    stream.abort(new Error('the token was not proved'));
    return { refusal };
  }
  return within(stream, ANSWER_LIMIT_MS, timers, async () => {
    await sendMessage(stream, JoinRequest, request, MAX_FRAME_BYTES);
    const response = await readMessage(reader, JoinResponse, MAX_FRAME_BYTES);
    await finishWriting(stream);
    return response;
  });
}

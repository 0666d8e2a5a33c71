import type { Stream } from '@libp2p/interface';
import { inviteAsDialler, proveAsDialler } from '../proof/client.ts';
import type { Credential, LookUp, ProofParties } from '../proof/index.ts';
import { JoinRequest, JoinResponse, type ProofRefusal } from '../schema/messages.ts';
import { fail, type Outcome, succeed } from '../schema/outcome.ts';
import type { TokenId } from '../schema/token.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { ANSWER_LIMIT_MS, MAX_FRAME_BYTES, PROOF_LIMIT_MS, purposeOf } from './index.ts';

export interface JoinClientOptions {
  /** What this end joins by; null: it has nothing, and can only invite. */
  readonly credential: Credential | null;
  /** By which it knows the tokens of whom it invites. */
  readonly lookUp: LookUp;
  /** Peer ids of the two ends of the stream. */
  readonly self: string;
  readonly peer: string;
}

export interface JoinAnswer {
  readonly response: JoinResponse;
  /** The token that the answerer proved; null: the dialler proved one. */
  readonly tokenId: TokenId | null;
}

/**
 * Proves over a new stream what the request takes, asks, and closes it.
 * @throws WireError
 */
export async function requestJoin(
  stream: Stream,
  request: JoinRequest,
  options: JoinClientOptions,
  dependencies: { readonly timers: Timers },
): Promise<JoinAnswer | { readonly refusal: ProofRefusal }> {
  const { timers } = dependencies;
  const reader = new StreamReader(stream);
  const parties = { dialler: options.self, answerer: options.peer, ...purposeOf(request) };
  const proved = await within<Outcome<TokenId | null, ProofRefusal>>(stream, PROOF_LIMIT_MS, timers, () =>
    request.type === 'invite'
      ? inviteAsDialler(stream, reader, options.lookUp, parties)
      : proveToken(stream, reader, options.credential, parties),
  );
  if (!proved.ok) {
    stream.abort(new Error('the token was not proved'));
    return { refusal: proved.error };
  }
  return within(stream, ANSWER_LIMIT_MS, timers, async () => {
    await sendMessage(stream, JoinRequest, request, MAX_FRAME_BYTES);
    const response = await readMessage(reader, JoinResponse, MAX_FRAME_BYTES);
    await finishWriting(stream);
    return { response, tokenId: proved.value };
  });
}

async function proveToken(
  stream: Stream,
  reader: StreamReader,
  credential: Credential | null,
  parties: ProofParties,
): Promise<Outcome<null, ProofRefusal>> {
  if (credential === null) return fail('NO_TOKEN');
  const refusal = await proveAsDialler(stream, reader, credential, parties);
  return refusal === null ? succeed(null) : fail(refusal);
}

import type { Stream } from '@libp2p/interface';
import { proveAsDialler } from '../proof/client.ts';
import type { Credential } from '../proof/index.ts';
import { InspectRequest, type ProofRefusal } from '../schema/messages.ts';
import { decodeAny, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { INSPECT_LIMIT_MS, INSPECT_PURPOSE, MAX_FRAME_BYTES, MAX_REQUEST_BYTES } from './index.ts';

export interface InspectClientOptions {
  /** Null: this end is a member and need prove nothing. */
  readonly credential: Credential | null;
  readonly self: string;
  readonly peer: string;
}

/**
 * Asks over a new stream for the peer's view, and closes it. An `Inspection`, if the peer is of this version; whatever
 * it is, it is for people.
 * @throws WireError
 */
export async function requestInspection(
  stream: Stream,
  options: InspectClientOptions,
  dependencies: { readonly timers: Timers },
): Promise<{ readonly view: unknown } | { readonly refusal: ProofRefusal }> {
  const { credential, self, peer } = options;
  const reader = new StreamReader(stream);
  return within(stream, INSPECT_LIMIT_MS, dependencies.timers, async () => {
    await sendMessage(stream, InspectRequest, { member: credential === null }, MAX_REQUEST_BYTES);
    if (credential !== null) {
      const parties = { dialler: self, answerer: peer, purpose: INSPECT_PURPOSE, about: new Uint8Array() };
      const refusal = await proveAsDialler(stream, reader, credential, parties);
      if (refusal !== null) {
        stream.abort(new Error('nothing was proved'));
        return { refusal };
      }
    }
    const view = decodeAny(await reader.expectFrame(MAX_FRAME_BYTES));
    await finishWriting(stream);
    return { view };
  });
}

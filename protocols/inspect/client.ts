import { create, toBinary } from '@bufbuild/protobuf';
import type { Stream } from '@libp2p/interface';
import { proveAsDialler } from '../proof/client.ts';
import type { ProofRefusal } from '../proof/index.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { decodeMessage } from '../wire/message.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting, writeFrame } from '../wire/writer.ts';
import { INSPECT_LIMIT_MS, INSPECT_PURPOSE, MAX_FRAME_BYTES } from './index.ts';
import { InspectRequestSchema, InspectResponseSchema } from './inspect_pb.ts';

export interface InspectClientOptions {
  /** Null: this end is a member and need prove nothing. */
  readonly token: Uint8Array | null;
  readonly self: string;
  readonly peer: string;
}

/**
 * Asks over a new stream for the peer's view, and closes it.
 * @throws WireError
 */
export async function requestInspection(
  stream: Stream,
  options: InspectClientOptions,
  dependencies: { readonly timers: Timers },
): Promise<{ readonly view: unknown } | { readonly refusal: ProofRefusal }> {
  const { token, self, peer } = options;
  const reader = new StreamReader(stream);
  return within(stream, INSPECT_LIMIT_MS, dependencies.timers, async () => {
    await writeFrame(
      stream,
      toBinary(InspectRequestSchema, create(InspectRequestSchema, { member: token === null })),
    );
    if (token !== null) {
      const parties = { dialler: self, answerer: peer, purpose: INSPECT_PURPOSE };
      const refusal = await proveAsDialler(stream, reader, token, parties);
      if (refusal !== null) {
        stream.abort(new Error('the token was not proved'));
        return { refusal };
      }
    }
    const bytes = await reader.expectFrame(MAX_FRAME_BYTES);
    await finishWriting(stream);
    return { view: parseView(decodeMessage(InspectResponseSchema, bytes).json) };
  });
}

function parseView(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new WireError('MALFORMED', 'the view is not JSON', { cause });
  }
}

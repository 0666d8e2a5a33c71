import { create, toBinary } from '@bufbuild/protobuf';
import type { Stream } from '@libp2p/interface';
import { type ProofJudge, proveAsAnswerer } from '../proof/handler.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { decodeMessage } from '../wire/message.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting, writeFrame } from '../wire/writer.ts';
import { INSPECT_LIMIT_MS, INSPECT_PURPOSE } from './index.ts';
import { InspectRequestSchema, InspectResponseSchema } from './inspect_pb.ts';

const MAX_REQUEST_BYTES = 256;

export interface InspectHandlerOptions {
  readonly token: Uint8Array;
  readonly self: string;
  readonly peer: string;
  readonly peerIsMember: boolean;
}

export interface InspectHandlerDependencies {
  readonly timers: Timers;
  readonly judge: ProofJudge;
  /** Any JSON-safe value. */
  readonly view: () => unknown;
}

/** Serves one stream. @throws WireError */
export async function serveInspection(
  stream: Stream,
  options: InspectHandlerOptions,
  dependencies: InspectHandlerDependencies,
): Promise<void> {
  const { token, self, peer, peerIsMember } = options;
  const { timers, judge, view } = dependencies;
  const reader = new StreamReader(stream);
  await within(stream, INSPECT_LIMIT_MS, timers, async () => {
    const request = decodeMessage(InspectRequestSchema, await reader.expectFrame(MAX_REQUEST_BYTES));
    if (request.member && !peerIsMember) throw new WireError('ABORTED', 'the peer is no member');
    if (!request.member) {
      const parties = { dialler: peer, answerer: self, purpose: INSPECT_PURPOSE };
      const refusal = await proveAsAnswerer(stream, reader, token, parties, judge);
      if (refusal !== null) return finishWriting(stream);
    }
    const response = create(InspectResponseSchema, { json: JSON.stringify(view()) });
    await writeFrame(stream, toBinary(InspectResponseSchema, response));
    await finishWriting(stream);
  });
}

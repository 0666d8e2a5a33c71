import type { Stream } from '@libp2p/interface';
import { type ProofJudge, proveAsAnswerer, readHello } from '../proof/handler.ts';
import type { LookUp } from '../proof/index.ts';
import { InspectRequest } from '../schema/messages.ts';
import { Inspection } from '../schema/views.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { INSPECT_LIMIT_MS, INSPECT_PURPOSE, MAX_FRAME_BYTES, MAX_REQUEST_BYTES } from './index.ts';

export interface InspectHandlerOptions {
  readonly lookUp: LookUp;
  readonly self: string;
  readonly peer: string;
  readonly peerIsMember: boolean;
}

export interface InspectHandlerDependencies {
  readonly timers: Timers;
  readonly judge: ProofJudge;
  readonly view: () => Inspection;
}

/** Serves one stream. @throws WireError */
export async function serveInspection(
  stream: Stream,
  options: InspectHandlerOptions,
  dependencies: InspectHandlerDependencies,
): Promise<void> {
  const { lookUp, self, peer, peerIsMember } = options;
  const { timers, judge, view } = dependencies;
  const reader = new StreamReader(stream);
  await within(stream, INSPECT_LIMIT_MS, timers, async () => {
    const request = await readMessage(reader, InspectRequest, MAX_REQUEST_BYTES);
    if (request.member && !peerIsMember) throw new WireError('ABORTED', 'the peer is no member');
    if (!request.member) {
      const hello = await readHello(reader);
      if (hello.purpose !== INSPECT_PURPOSE) throw new WireError('MALFORMED', 'the purpose is another');
      const ends = { dialler: peer, answerer: self };
      const proved = await proveAsAnswerer(stream, reader, hello, lookUp, ends, judge);
      if (!proved.ok) return finishWriting(stream);
    }
    await sendMessage(stream, Inspection, view(), MAX_FRAME_BYTES);
    await finishWriting(stream);
  });
}

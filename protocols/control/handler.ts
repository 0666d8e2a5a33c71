import type { Stream } from '@libp2p/interface';
import { ControlRequest, ControlResponse } from '../schema/messages.ts';
import type { ByteBudget } from '../wire/budget.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { MAX_FRAME_BYTES, SERVE_LIMIT_MS } from './index.ts';

/** Serves one call. @throws WireError, or what `onRequest` threw */
export async function serveControl(
  stream: Stream,
  dependencies: {
    readonly timers: Timers;
    /** Of the caller, for all its calls. */
    readonly budget?: ByteBudget;
    readonly onRequest: (request: ControlRequest) => Promise<ControlResponse>;
  },
): Promise<void> {
  const reader = new StreamReader(stream, dependencies.budget);
  await within(stream, SERVE_LIMIT_MS, dependencies.timers, async () => {
    const request = await readMessage(reader, ControlRequest, MAX_FRAME_BYTES);
    const response = await dependencies.onRequest(request);
    await sendMessage(stream, ControlResponse, response, MAX_FRAME_BYTES);
    await finishWriting(stream);
  });
}

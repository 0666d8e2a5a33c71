import type { Stream } from '@libp2p/interface';
import { ControlRequest, ControlResponse } from '../schema/messages.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { type Timers, within } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import { CALL_LIMIT_MS, MAX_FRAME_BYTES } from './index.ts';

/**
 * One call over a new stream, which it closes.
 * @throws WireError
 */
export async function callControl(
  stream: Stream,
  request: ControlRequest,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  dependencies: { readonly timers: Timers },
): Promise<ControlResponse> {
  const talk = async () => {
    const reader = new StreamReader(stream);
    await sendMessage(stream, ControlRequest, request, MAX_FRAME_BYTES);
    await finishWriting(stream);
    return readMessage(reader, ControlResponse, MAX_FRAME_BYTES);
  };
  return within(stream, options.timeoutMs ?? CALL_LIMIT_MS, dependencies.timers, talk, options.signal);
}

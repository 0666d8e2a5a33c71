import type { Stream } from '@libp2p/interface';
import { type Timers, within } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting, writeFrame } from '../wire/writer.ts';
import { CALL_LIMIT_MS, type ControlRequest, type ControlResponse, MAX_FRAME_BYTES } from './index.ts';
import { encodeControlRequest } from './request-codec.ts';
import { decodeControlResponse } from './response-codec.ts';

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
    const bytes = encodeControlRequest(request);
    if (bytes.length > MAX_FRAME_BYTES) {
      throw new WireError(
        'TOO_LARGE',
        `a request of ${bytes.length} bytes is over the limit of ${MAX_FRAME_BYTES}`,
      );
    }
    const reader = new StreamReader(stream);
    await writeFrame(stream, bytes);
    await finishWriting(stream);
    return decodeControlResponse(await reader.expectFrame(MAX_FRAME_BYTES));
  };
  const limitMs = options.timeoutMs ?? CALL_LIMIT_MS;
  return within(stream, limitMs, dependencies.timers, talk, options.signal);
}

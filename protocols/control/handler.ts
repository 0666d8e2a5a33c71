import type { Stream } from '@libp2p/interface';
import { type Timers, within } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting, writeFrame } from '../wire/writer.ts';
import { type ControlRequest, type ControlResponse, MAX_FRAME_BYTES, SERVE_LIMIT_MS } from './index.ts';
import { decodeControlRequest } from './request-codec.ts';
import { encodeControlResponse } from './response-codec.ts';

/** Serves one call. @throws WireError, or what `onRequest` threw */
export async function serveControl(
  stream: Stream,
  dependencies: {
    readonly timers: Timers;
    readonly onRequest: (request: ControlRequest) => Promise<ControlResponse>;
  },
): Promise<void> {
  const reader = new StreamReader(stream);
  await within(stream, SERVE_LIMIT_MS, dependencies.timers, async () => {
    const request = decodeControlRequest(await reader.expectFrame(MAX_FRAME_BYTES));
    const bytes = encodeControlResponse(await dependencies.onRequest(request));
    if (bytes.length > MAX_FRAME_BYTES) {
      throw new WireError('TOO_LARGE', `a response of ${bytes.length} bytes is over the limit`);
    }
    await writeFrame(stream, bytes);
    await finishWriting(stream);
  });
}

import type { Stream } from '@libp2p/interface';
import { WireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { FrameKind, MAX_PAYLOAD_BYTES, PING_BYTES } from './index.ts';

export interface LinkHandlers {
  readonly onFrame: (payload: Uint8Array) => void;
  readonly onPing: (token: Uint8Array) => void;
  readonly onPong: (token: Uint8Array) => void;
  /** Some bytes came, perhaps not yet a whole frame. */
  readonly onBytes: () => void;
}

/** Hands over what comes in on a link, in order, until the stream ends. @throws WireError */
export async function serveLink(stream: Stream, handlers: LinkHandlers): Promise<void> {
  const reader = new StreamReader(stream);
  reader.onBytes = handlers.onBytes;
  try {
    for (;;) {
      const frame = await reader.frame(MAX_PAYLOAD_BYTES + 1);
      if (frame === null) return;
      deliver(frame, handlers);
    }
  } finally {
    // A link has one direction: once it has ended there is nothing to say on it.
    stream.abort(new Error('the link has ended'));
  }
}

function deliver(frame: Uint8Array, handlers: LinkHandlers): void {
  const payload = frame.subarray(1);
  const kind = frame[0];
  if (kind === FrameKind.RAFT) handlers.onFrame(payload);
  else if (kind === FrameKind.PING && payload.length === PING_BYTES) handlers.onPing(payload);
  else if (kind === FrameKind.PONG && payload.length === PING_BYTES) handlers.onPong(payload);
  else throw new WireError('MALFORMED', 'a frame of unknown kind or size');
}

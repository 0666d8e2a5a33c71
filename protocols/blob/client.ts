import type { Stream } from '@libp2p/interface';
import { BlobReply, BlobRequest } from '../schema/messages.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { IdleLimit, type Timers } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import {
  type BlobFailure,
  type BlobOutcome,
  type BlobShelf,
  IDLE_LIMIT_MS,
  MAX_FRAME_BYTES,
} from './index.ts';
import { receiveBytes, sendBytes } from './transfer.ts';

export interface BlobClientDependencies {
  readonly shelf: BlobShelf;
  readonly timers: Timers;
}

/** Ok once the blob is on the peer's disk. @throws WireError */
export async function pushBlob(
  stream: Stream,
  sha256: string,
  dependencies: BlobClientDependencies,
): Promise<BlobOutcome> {
  const blob = await dependencies.shelf.open(sha256);
  if (blob === null) {
    stream.abort(new Error('there is nothing to push'));
    return failed({ code: 'MISSING', message: `this node doesn't hold the blob ${sha256}` });
  }
  const { size, content } = blob;
  try {
    return await conversation(stream, dependencies.timers, async (reader, idle) => {
      await sendMessage(stream, BlobRequest, { type: 'push', sha256, size }, MAX_FRAME_BYTES);
      const reply = await readMessage(reader, BlobReply, MAX_FRAME_BYTES);
      if (reply.type === 'stored') return { ok: true };
      if (reply.type === 'failure') return failed(reply);
      // A peer whose disk is full says so before it has taken everything.
      const ending = readMessage(reader, BlobReply, MAX_FRAME_BYTES);
      const sending = sendBytes(stream, size, content, idle);
      sending.catch(() => {});
      ending.catch(() => {});
      await Promise.race([sending, ending]);
      const end = await ending;
      if (end.type === 'proceed') throw new WireError('MALFORMED', 'the peer said proceed twice');
      return end.type === 'stored' ? { ok: true } : failed(end);
    });
  } finally {
    content.destroy();
  }
}

/** Ok once the blob, which has no more than `maxBytes`, is on our shelf. @throws WireError */
export function fetchBlob(
  stream: Stream,
  { sha256, maxBytes }: { readonly sha256: string; readonly maxBytes: number },
  dependencies: BlobClientDependencies,
): Promise<BlobOutcome> {
  return conversation(stream, dependencies.timers, async (reader, idle) => {
    await sendMessage(stream, BlobRequest, { type: 'fetch', sha256 }, MAX_FRAME_BYTES);
    const reply = await readMessage(reader, BlobReply, MAX_FRAME_BYTES);
    if (reply.type === 'failure') return failed(reply);
    if (reply.type === 'stored') throw new WireError('MALFORMED', 'the peer answered a fetch like a push');
    if (reply.size > maxBytes) {
      const message = `the peer offers ${reply.size} bytes for a blob of at most ${maxBytes}`;
      return failed({ code: 'MISMATCH', message });
    }
    return receiveBytes(reader, dependencies.shelf, sha256, reply.size, idle);
  });
}

async function conversation(
  stream: Stream,
  timers: Timers,
  talk: (reader: StreamReader, idle: IdleLimit) => Promise<BlobOutcome>,
): Promise<BlobOutcome> {
  const idle = new IdleLimit(stream, IDLE_LIMIT_MS, timers);
  try {
    const outcome = await talk(new StreamReader(stream), idle);
    if (outcome.ok) await finishWriting(stream);
    else stream.abort(new Error(outcome.error.message));
    return outcome;
  } catch (cause) {
    stream.abort(cause instanceof Error ? cause : new Error(String(cause)));
    throw cause;
  } finally {
    idle.stop();
  }
}

function failed({ code, message }: BlobFailure): BlobOutcome {
  return { ok: false, error: { code, message } };
}

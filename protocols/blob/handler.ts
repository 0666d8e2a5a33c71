import type { Stream } from '@libp2p/interface';
import { BlobReply, BlobRequest } from '../schema/messages.ts';
import { readMessage, sendMessage } from '../wire/codec.ts';
import { IdleLimit } from '../wire/deadline.ts';
import { StreamReader } from '../wire/reader.ts';
import { finishWriting } from '../wire/writer.ts';
import type { BlobClientDependencies } from './client.ts';
import { type BlobShelf, IDLE_LIMIT_MS, MAX_FRAME_BYTES, type PushGate } from './index.ts';
import { receiveBytes, sendBytes } from './transfer.ts';

export interface BlobHandlerDependencies extends BlobClientDependencies {
  readonly gate: PushGate;
}

/** Serves one stream of the peer `from`. @throws WireError */
export async function serveBlob(
  stream: Stream,
  from: string,
  dependencies: BlobHandlerDependencies,
): Promise<void> {
  const { shelf, timers } = dependencies;
  const reader = new StreamReader(stream);
  const idle = new IdleLimit(stream, IDLE_LIMIT_MS, timers);
  try {
    const request = await readMessage(reader, BlobRequest, MAX_FRAME_BYTES);
    if (request.type === 'push') await takePush(stream, reader, from, request, idle, dependencies);
    else await serveFetch(stream, shelf, request.sha256, idle);
    await finishWriting(stream);
  } catch (cause) {
    stream.abort(cause instanceof Error ? cause : new Error(String(cause)));
    throw cause;
  } finally {
    idle.stop();
  }
}

async function takePush(
  stream: Stream,
  reader: StreamReader,
  from: string,
  request: Extract<BlobRequest, { type: 'push' }>,
  idle: IdleLimit,
  { shelf, gate }: BlobHandlerDependencies,
): Promise<void> {
  const { sha256, size } = request;
  const refusal = await gate.refuse(from, sha256, size);
  if (refusal !== null) return reply(stream, { type: 'failure', ...refusal });
  let stored = false;
  try {
    if (await shelf.has(sha256)) {
      stored = true;
      return await reply(stream, { type: 'stored' });
    }
    await reply(stream, { type: 'proceed', size });
    const outcome = await receiveBytes(reader, shelf, sha256, size, idle);
    stored = outcome.ok;
    await reply(stream, outcome.ok ? { type: 'stored' } : { type: 'failure', ...outcome.error });
  } finally {
    gate.settle(sha256, stored);
  }
}

async function serveFetch(stream: Stream, shelf: BlobShelf, sha256: string, idle: IdleLimit): Promise<void> {
  const blob = await shelf.open(sha256);
  if (blob === null) {
    const message = `the peer doesn't hold the blob ${sha256}`;
    return reply(stream, { type: 'failure', code: 'MISSING', message });
  }
  try {
    await reply(stream, { type: 'proceed', size: blob.size });
    await sendBytes(stream, blob.size, blob.content, idle);
  } finally {
    blob.content.destroy();
  }
}

function reply(stream: Stream, message: BlobReply): Promise<void> {
  return sendMessage(stream, BlobReply, message, MAX_FRAME_BYTES);
}

import type { Stream } from '@libp2p/interface';
import { pipe } from 'it-pipe';
import type { IdleLimit } from '../wire/deadline.ts';
import { WireError } from '../wire/error.ts';
import type { StreamReader } from '../wire/reader.ts';
import { writeAll } from '../wire/writer.ts';
import { type BlobOutcome, type BlobShelf, LEAST_PROGRESS_BYTES } from './index.ts';

/** Sends exactly `size` bytes. @throws WireError TRUNCATED when the content has another length */
export async function sendBytes(
  stream: Stream,
  size: number,
  content: AsyncIterable<Uint8Array>,
  idle: IdleLimit,
): Promise<void> {
  const sent = await pipe(
    content,
    (source) => observed(source, idle),
    (source) => writeAll(stream, source),
  );
  if (sent !== size) throw new WireError('TRUNCATED', `the blob has ${sent} bytes instead of ${size}`);
}

/** Puts the next `size` bytes on the shelf, which checks them. */
export function receiveBytes(
  reader: StreamReader,
  shelf: BlobShelf,
  sha256: string,
  size: number,
  idle: IdleLimit,
): Promise<BlobOutcome> {
  return shelf.put(sha256, size, observed(reader.pieces(size), idle));
}

async function* observed(source: AsyncIterable<Uint8Array>, idle: IdleLimit): AsyncGenerator<Uint8Array> {
  let moved = 0;
  for await (const chunk of source) {
    moved += chunk.length;
    if (moved >= LEAST_PROGRESS_BYTES) {
      idle.touch();
      moved = 0;
    }
    yield chunk;
  }
  idle.touch();
}

/**
 * Writes to a libp2p stream no faster than it takes the bytes.
 *
 * The stream's own `onDrain()` keeps its first promise for ever and so doesn't wait a second time
 * (@libp2p/utils 7.4): the events are awaited here instead.
 */
import type { Stream } from '@libp2p/interface';
import { asWireError, WireError } from './error.ts';

/** Bytes that may wait inside the stream before a writer is held up. */
const HIGH_WATER_BYTES = 128 * 1024;

/** Whether more may be written without growing a queue. */
export function isWritable(stream: Stream): boolean {
  return !stream.writableNeedsDrain && stream.writeBufferLength < HIGH_WATER_BYTES;
}

/** Resolves when more may be written. @throws WireError when the stream ends before */
export async function writable(stream: Stream): Promise<void> {
  while (!isWritable(stream)) {
    if (stream.status !== 'open') throw new WireError('CLOSED', 'the stream is closed');
    await new Promise<void>((resolve, reject) => {
      const onMore = () => settle(null);
      const onClose = (event: { readonly error?: Error }) =>
        settle(event.error ?? new Error('the stream is closed'));
      const settle = (error: Error | null) => {
        stream.removeEventListener('drain', onMore);
        stream.removeEventListener('idle', onMore);
        stream.removeEventListener('close', onClose);
        if (error === null) resolve();
        else reject(asWireError(error));
      };
      stream.addEventListener('drain', onMore);
      stream.addEventListener('idle', onMore);
      stream.addEventListener('close', onClose);
    });
  }
}

/** @throws WireError when the stream ends before the bytes are taken */
export async function write(stream: Stream, bytes: Uint8Array): Promise<void> {
  await writable(stream);
  try {
    stream.send(bytes);
  } catch (cause) {
    throw asWireError(cause);
  }
}

/** Writes everything; returns the number of bytes. */
export async function writeAll(stream: Stream, source: AsyncIterable<Uint8Array>): Promise<number> {
  let count = 0;
  for await (const chunk of source) {
    await write(stream, chunk);
    count += chunk.length;
  }
  return count;
}

/** The parts behind their length, as `StreamReader.frame` reads it (and libp2p's `lpStream`): unsigned LEB128. */
export function frame(...parts: readonly Uint8Array[]): Uint8Array {
  const prefix: number[] = [];
  let rest = parts.reduce((sum, part) => sum + part.length, 0);
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) prefix.push((rest % 0x80) | 0x80);
  return Buffer.concat([Uint8Array.of(...prefix, rest), ...parts]);
}

export async function writeFrame(stream: Stream, bytes: Uint8Array): Promise<void> {
  await write(stream, frame(bytes));
}

/** Closes the writing end once everything is sent. */
export async function finishWriting(stream: Stream): Promise<void> {
  try {
    await stream.close();
  } catch (cause) {
    throw asWireError(cause);
  }
}

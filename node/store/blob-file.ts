/** Writing one blob so that a crash at any moment leaves either the whole file under its name or a temporary one. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHash } from './hash-pool.ts';

/** Content up to this size is hashed on the event loop: faster than asking another thread. */
const INLINE_HASH_BYTES = 64 * 1024;

/** Small writes are gathered up to this size, so that a source of tiny chunks doesn't cost a system call each. */
const GATHER_BYTES = 256 * 1024;

/**
 * `TOO_LARGE`: more bytes than the limit. `INTERRUPTED`: the source failed, or sent something else than agreed. `DISK`:
 * the disk has no room for it.
 */
export class BlobWriteError extends Error {
  readonly code: 'TOO_LARGE' | 'INTERRUPTED' | 'DISK';

  constructor(code: BlobWriteError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BlobWriteError';
    this.code = code;
  }
}

/**
 * Writes `content` to a new file and syncs it; `sha256` is null when it is too large to be hashed here.
 * Rejects with a `BlobWriteError`, or with the error of the disk; the file is then the caller's to remove.
 */
export async function writeTemporary(
  path: string,
  content: AsyncIterable<Uint8Array>,
  { limitBytes, shortage }: { readonly limitBytes: number; readonly shortage: () => string | null },
): Promise<FileHash | { readonly size: number; readonly sha256: null }> {
  const hash = createHash('sha256');
  let size = 0;
  const checkRoom = () => {
    const why = shortage();
    if (why !== null) throw new BlobWriteError('DISK', why);
  };
  checkRoom();
  await using file = await open(path, 'wx', 0o400);
  const see = (chunk: Uint8Array) => {
    checkRoom();
    size += chunk.length;
    if (size > limitBytes)
      throw new BlobWriteError('TOO_LARGE', `the file is larger than ${limitBytes} bytes`);
    if (size <= INLINE_HASH_BYTES) hash.update(chunk);
  };
  await file.writeFile(gathered(content, see));
  await file.sync();
  return { size, sha256: size > INLINE_HASH_BYTES ? null : hash.digest('hex') };
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The same bytes in larger pieces, each chunk seen as it comes. Tells a failure of the source from one of the disk. */
async function* gathered(
  content: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of content) {
      see(chunk);
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes < GATHER_BYTES) continue;
      yield Buffer.concat(chunks);
      chunks = [];
      bytes = 0;
    }
  } catch (cause) {
    if (cause instanceof BlobWriteError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BlobWriteError('INTERRUPTED', `the sender stopped before the end: ${reason}`, { cause });
  }
  if (bytes > 0) yield Buffer.concat(chunks);
}

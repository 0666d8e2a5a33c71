/** Writing one blob so that a crash at any moment leaves either the whole file under its name or a temporary one. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/** Content up to this size is hashed on the event loop: faster than asking another thread. */
const INLINE_HASH_BYTES = 64 * 1024;

/** Small writes are gathered up to this size, so that a source of tiny chunks doesn't cost a system call each. */
const GATHER_BYTES = 256 * 1024;

/** `TOO_LARGE`: more bytes than the limit. `INTERRUPTED`: the source failed, or sent something else than agreed. */
export class BlobWriteError extends Error {
  readonly code: 'TOO_LARGE' | 'INTERRUPTED';

  constructor(code: 'TOO_LARGE' | 'INTERRUPTED', message: string, options?: ErrorOptions) {
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
  limitBytes: number,
): Promise<{ readonly size: number; readonly sha256: string | null }> {
  const file = await open(path, 'wx', 0o400);
  try {
    const writer = new GatheringWriter(file);
    const first: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of interruptible(content)) {
      size += chunk.length;
      if (size > limitBytes)
        throw new BlobWriteError('TOO_LARGE', `the file is larger than ${limitBytes} bytes`);
      if (size <= INLINE_HASH_BYTES) first.push(chunk);
      await writer.write(chunk);
    }
    await writer.flush();
    await file.sync();
    if (size > INLINE_HASH_BYTES) return { size, sha256: null };
    const hash = createHash('sha256');
    for (const chunk of first) hash.update(chunk);
    return { size, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Tells a failure of the source from one of the disk. */
async function* interruptible(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = content[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await iterator.next();
      } catch (cause) {
        ended = true;
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new BlobWriteError('INTERRUPTED', `the sender stopped before the end: ${reason}`, { cause });
      }
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // The sender is told to stop; how it takes that changes nothing here.
    if (!ended) await iterator.return?.().catch(() => undefined);
  }
}

class GatheringWriter {
  readonly #file: FileHandle;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= GATHER_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return;
    // `writeFile` on a handle goes on at its position and repeats short writes, which `write` would leave to us.
    const data = this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#bytes = 0;
    await this.#file.writeFile(data);
  }
}

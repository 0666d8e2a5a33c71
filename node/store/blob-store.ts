/** Content-addressed files: a blob's name is the SHA-256 of its bytes, and it is on disk whole or not at all. */
import { mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { BlobShelf, IngestFailure, WritableShelf } from '../../protocols/blob/index.ts';
import { MAX_OUTPUT_BYTES } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { isFull } from '../disk/space.ts';
import { renameDurably } from '../durable-file.ts';
import type { Clock, Logger, Random } from '../ports.ts';
import { BlobWriteError, isErrno, writeTemporary } from './blob-file.ts';
import { HashPool } from './hash-pool.ts';

export interface BlobStoreOptions {
  /** Directory of the blobs; nothing else lives there. */
  readonly directory: string;
}

export interface BlobStoreDependencies {
  /** Why nothing large is taken now for want of room on the disk; null: there is room. @default null, always */
  readonly shortage?: () => string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const TEMPORARY_PREFIX = 'incoming-';

export class BlobStore implements BlobShelf, WritableShelf, AsyncDisposable {
  readonly #directory: string;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #shortage: () => string | null;
  readonly #pool: HashPool;

  constructor(options: BlobStoreOptions, dependencies: BlobStoreDependencies) {
    this.#directory = options.directory;
    this.#random = dependencies.random;
    this.#logger = dependencies.logger;
    this.#shortage = dependencies.shortage ?? (() => null);
    this.#pool = new HashPool({}, dependencies);
  }

  /** Makes the directory and removes what a crash left half-written. Rejects when the directory can't be used. */
  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const names = await readdir(this.#directory);
    const leftovers = names.filter((name) => name.startsWith(TEMPORARY_PREFIX));
    await Promise.all(leftovers.map((name) => rm(join(this.#directory, name), { force: true })));
  }

  async stop(): Promise<void> {
    await this.#pool.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Where the blob is, or would be; null for anything but 64 lower-case hexadecimal digits. */
  path(sha256: string): string | null {
    return /^[0-9a-f]{64}$/.test(sha256) ? join(this.#directory, sha256) : null;
  }

  async has(sha256: string): Promise<boolean> {
    const path = this.path(sha256);
    if (path === null) return false;
    return stat(path).then(
      (found) => found.isFile(),
      () => false,
    );
  }

  /** The caller reads `content` to its end or destroys it. */
  async open(sha256: string): Promise<{ readonly size: number; readonly content: Readable } | null> {
    const path = this.path(sha256);
    const file = path === null ? null : await open(path, 'r').catch(() => null);
    if (file === null) return null;
    const { size } = await file.stat();
    return { size, content: file.createReadStream({ highWaterMark: 256 * 1024 }) };
  }

  /** Reads `content` to its end, also when the blob is here already: then a damaged one is mended. */
  async put(
    sha256: string,
    size: number,
    content: AsyncIterable<Uint8Array>,
  ): Promise<Outcome<void, { readonly code: 'MISMATCH' | 'DISK'; readonly message: string }>> {
    const path = this.path(sha256);
    if (path === null)
      return fail({ code: 'MISMATCH', message: 'the name of a blob is 64 hexadecimal digits' });
    // As large as what a run may put out: that must go somewhere.
    const mayUseReserve = size <= MAX_OUTPUT_BYTES;
    const stored = await this.#store(content, { limitBytes: size, mayUseReserve }, (found) => {
      if (found.sha256 === sha256 && found.size === size) return null;
      return `expected ${size} bytes with SHA-256 ${sha256}, got ${found.size} with ${found.sha256}`;
    });
    if (stored.ok) return succeed(undefined);
    return fail({ code: stored.error.code === 'DISK' ? 'DISK' : 'MISMATCH', message: stored.error.message });
  }

  async ingest(
    content: AsyncIterable<Uint8Array>,
    limitBytes: number,
    { mayUseReserve = false }: { readonly mayUseReserve?: boolean } = {},
  ): Promise<Outcome<{ readonly sha256: string; readonly size: number }, IngestFailure>> {
    return this.#store(content, { limitBytes, mayUseReserve }, () => null);
  }

  /** Every blob, and when it was last stored (milliseconds since the Unix epoch). */
  async list(): Promise<{ readonly sha256: string; readonly storedAtMs: number }[]> {
    const names = (await readdir(this.#directory)).filter((name) => this.path(name) !== null);
    const found = await Promise.all(
      names.map(async (sha256) => {
        const status = await stat(join(this.#directory, sha256)).catch(() => null);
        return status && { sha256, storedAtMs: status.mtimeMs };
      }),
    );
    return found.filter((blob) => blob !== null);
  }

  /** Hashes a stored blob. A damaged one is removed, so that it is fetched again from a member that has it whole. */
  async verify(sha256: string): Promise<boolean> {
    const path = this.path(sha256);
    if (path === null || !(await this.has(sha256))) return false;
    const found = await this.#pool.hashFile(path).catch((error: unknown) => {
      this.#logger.error({ err: error, sha256 }, 'blob could not be read');
      return null;
    });
    if (found === null) return false;
    if (found.sha256 === sha256) return true;
    this.#logger.warn({ sha256, size: found.size }, 'blob is damaged and removed');
    await this.remove(sha256);
    return false;
  }

  /** True when it was here. */
  async remove(sha256: string): Promise<boolean> {
    const path = this.path(sha256);
    if (path === null) return false;
    try {
      await unlink(path);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async #store(
    content: AsyncIterable<Uint8Array>,
    { limitBytes, mayUseReserve }: { readonly limitBytes: number; readonly mayUseReserve: boolean },
    refuse: (found: { sha256: string; size: number }) => string | null,
  ): Promise<Outcome<{ readonly sha256: string; readonly size: number }, IngestFailure>> {
    const temporary = join(this.#directory, `${TEMPORARY_PREFIX}${this.#random.id()}`);
    try {
      const shortage = mayUseReserve ? () => null : this.#shortage;
      const written = await writeTemporary(temporary, content, { limitBytes, shortage });
      const found = written.sha256 === null ? await this.#pool.hashFile(temporary) : written;
      const refusal = refuse(found);
      if (refusal !== null) throw new BlobWriteError('INTERRUPTED', refusal);
      await renameDurably(temporary, join(this.#directory, found.sha256));
      return succeed(found);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      if (error instanceof BlobWriteError) return fail({ code: error.code, message: error.message });
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ err: error }, 'blob could not be stored');
      const message = isFull(error)
        ? 'the disk of this node is full; nothing was stored, free some space and try again'
        : `the file could not be stored: ${reason}`;
      return fail({ code: 'DISK', message });
    }
  }
}

/**
 * Moves one blob, named by the SHA-256 of its bytes, over a stream of its own.
 *
 *     push:   Push ->  <- Proceed   bytes ->  <- Stored | Failure     (Stored at once when it is there)
 *     fetch:  Fetch -> <- Proceed { size }, bytes | Failure
 *
 * A push announces what it would bring: no byte of it is taken before the receiver's `PushGate` has agreed.
 * `Stored` is said only when the receiver's shelf has the blob durably on disk.
 */
import type { Readable } from 'node:stream';
import type { BlobReply } from '../schema/messages.ts';
import type { Outcome } from '../schema/outcome.ts';

export const BLOB_PROTOCOL = '/fsched/blob/1.0.0';
export const MAX_FRAME_BYTES = 4096;
/** A transfer (or the sync to disk at its end) that stands still for so long is given up. */
export const IDLE_LIMIT_MS = 30_000;
/** As good as standing still: less than this within the limit, while there is more to come. */
export const LEAST_PROGRESS_BYTES = 4 * 1024 ** 2;

/** Where blobs come from and go to on a node. */
export interface BlobShelf {
  has(sha256: string): Promise<boolean>;
  /** Null when it isn't here. */
  open(sha256: string): Promise<{ readonly size: number; readonly content: Readable } | null>;
  /** Stores and syncs to disk, or fails without a trace when the bytes don't hash to `sha256` or aren't `size` long. */
  put(
    sha256: string,
    size: number,
    content: AsyncIterable<Uint8Array>,
  ): Promise<Outcome<void, { readonly code: 'MISMATCH' | 'DISK'; readonly message: string }>>;
}

/** Decides who may push what. */
export interface PushGate {
  /** Null: it may; then `settle` must be called once, with whether the blob is on the shelf now. */
  refuse(from: string, sha256: string, size: number): Promise<BlobFailure | null>;
  settle(sha256: string, stored: boolean): void;
}

/** Where this node's own new blobs go to. */
export interface WritableShelf extends Pick<BlobShelf, 'open'> {
  /**
   * Stores bytes whose hash isn't known yet. `mayUseReserve`: of the disk of this node, as for what a run has put out,
   * which must go somewhere. Beyond the limit `content` is closed (a Readable is destroyed).
   */
  ingest(
    content: AsyncIterable<Uint8Array>,
    limitBytes: number,
    options?: { readonly mayUseReserve?: boolean },
  ): Promise<Outcome<{ readonly sha256: string; readonly size: number }, IngestFailure>>;
}

/** `INTERRUPTED`: whoever sent the bytes stopped half-way. */
export interface IngestFailure {
  readonly code: 'TOO_LARGE' | 'DISK' | 'INTERRUPTED';
  readonly message: string;
}

/** Why a transfer came to nothing although the two ends understood each other. */
export type BlobFailure = Omit<Extract<BlobReply, { readonly type: 'failure' }>, 'type'>;
export type BlobOutcome = { readonly ok: true } | { readonly ok: false; readonly error: BlobFailure };

/**
 * Where the log, the hard state and a few values of the node (such as the identity of its cluster) are kept.
 * `level-log-store.ts` keeps them on disk, `test/support/memory-log-store.ts` in memory with a crash to order.
 */
import type { Entry, HardState } from './types.ts';

export interface StoredLog {
  readonly hardState: HardState;
  /** Ascending, without gaps. */
  readonly entries: readonly Entry[];
}

export interface LogWrite {
  readonly hardState: HardState;
  /** Replaces everything from the first one's index on; empty: the log stays as it is. */
  readonly entries: readonly Entry[];
}

/** What is kept before anything was ever written. */
export const INITIAL_HARD_STATE: HardState = { term: 0, votedFor: null, commitIndex: 0 };

/**
 * Every write is atomic, and on disk (synced) when its promise resolves. Writes are carried out in the order
 * of the calls. All methods throw `LogStoreError`.
 */
export interface LogStore extends AsyncDisposable {
  load(): Promise<StoredLog>;
  write(write: LogWrite): Promise<void>;
  /** Forgets log and hard state in one write; the node's values stay. */
  clear(): Promise<void>;
  /** A value of the node; null when it was never put. */
  get(name: string): Promise<Uint8Array | null>;
  /** Null deletes. */
  put(name: string, value: Uint8Array | null): Promise<void>;
  close(): Promise<void>;
}

export type LogStoreErrorCode =
  /** Another process has the directory open. */
  | 'LOCKED'
  /** The directory holds something that isn't a log of this program (or of a later version of it). */
  | 'FOREIGN'
  /** What it holds can't be read or contradicts itself. */
  | 'DAMAGED'
  /** The disk has no room, now: what was to be written isn't, and the store must be opened again. */
  | 'FULL'
  /** The disk refuses: read-only, no permission, broken. */
  | 'DISK'
  /** Used after `close`. */
  | 'CLOSED';

export class LogStoreError extends Error {
  readonly code: LogStoreErrorCode;

  constructor(code: LogStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogStoreError';
    this.code = code;
  }
}

/**
 * The log on disk, in `level`.
 *
 * Keys: `format` -> version of this layout; `hard` -> hard state; `log/` + 16 digits -> entry, so that keys
 * are ordered as indices are; `value/` + name -> value of the node.
 * Each write is one batch with `sync: true`: LevelDB appends it to its own log, with a checksum, and calls
 * fdatasync before it answers; after a crash a batch is there whole or not at all.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { Level } from 'level';
import { decodeEntry, decodeHardState, encodeEntry, encodeHardState } from '../consensus/codec.ts';
import {
  INITIAL_HARD_STATE,
  type LogStore,
  LogStoreError,
  type LogStoreErrorCode,
  type LogWrite,
  type StoredLog,
} from '../consensus/log-store.ts';
import type { Entry } from '../consensus/types.ts';
import { Turns } from '../turns.ts';

const FORMAT_KEY = 'format';
const FORMAT = 'fsched-log-2';
const HARD_STATE_KEY = 'hard';
const LOG_PREFIX = 'log/';
/** Sorts right after every key that begins with LOG_PREFIX. */
const LOG_END = 'log0';
const VALUE_PREFIX = 'value/';

type Database = Level<string, Uint8Array>;
type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string };

const entryKey = (index: number): string => LOG_PREFIX + String(index).padStart(16, '0');

export interface LevelLogStoreOptions {
  /** Made when it is missing; nothing else may be kept in it. */
  readonly directory: string;
}

/** @throws LogStoreError LOCKED, FOREIGN, DAMAGED, FULL or DISK */
export async function openLevelLogStore({ directory }: LevelLogStoreOptions): Promise<LogStore> {
  await refuseForeign(directory);
  const database: Database = new Level(directory, { keyEncoding: 'utf8', valueEncoding: 'view' });
  try {
    await database.open();
  } catch (error) {
    throw openFailure(directory, error);
  }
  try {
    await checkFormat(database, directory);
    return new LevelLogStore(database, directory, await lastIndexOf(database));
  } catch (error) {
    await database.close();
    throw error instanceof LogStoreError ? error : storeFailure(directory, error);
  }
}

async function refuseForeign(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = await readdir(directory);
    // LevelDB makes CURRENT last: without it, LOCK and LOG alone are what a crash in the first start leaves.
    const strangers = names.filter(
      (name) => !/^(CURRENT|LOCK|LOG|LOG\.old|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)|lost)$/.test(name),
    );
    if (strangers.length > 0) throw foreign(directory, `${strangers[0]} doesn't belong there`);
  } catch (error) {
    throw error instanceof LogStoreError ? error : storeFailure(directory, error);
  }
}

async function checkFormat(database: Database, directory: string): Promise<void> {
  const format = await database.get(FORMAT_KEY);
  if (format !== undefined) {
    const found = new TextDecoder().decode(format);
    if (found !== FORMAT)
      throw foreign(directory, `it is of the format ${JSON.stringify(found.slice(0, 40))}`);
    return;
  }
  for await (const key of database.keys({ limit: 1 })) {
    throw foreign(
      directory,
      `it is a database of something else, with the key ${JSON.stringify(key.slice(0, 40))}`,
    );
  }
  await database.put(FORMAT_KEY, new TextEncoder().encode(FORMAT), { sync: true });
}

async function lastIndexOf(database: Database): Promise<number> {
  for await (const key of database.keys({ gte: LOG_PREFIX, lt: LOG_END, reverse: true, limit: 1 })) {
    return Number(key.slice(LOG_PREFIX.length));
  }
  return 0;
}

class LevelLogStore implements LogStore {
  readonly #database: Database;
  readonly #directory: string;
  /** The database works in several threads: of two batches that are both under way either may come first. */
  readonly #turns = new Turns();
  #lastIndex: number;
  #closed = false;

  constructor(database: Database, directory: string, lastIndex: number) {
    this.#database = database;
    this.#directory = directory;
    this.#lastIndex = lastIndex;
  }

  async load(): Promise<StoredLog> {
    return this.#guarded(async () => {
      const hard = await this.#database.get(HARD_STATE_KEY);
      const hardState =
        hard === undefined ? { ok: true as const, value: INITIAL_HARD_STATE } : decodeHardState(hard);
      if (!hardState.ok) throw this.#damaged(`the hard state: ${hardState.error.message}`);
      const entries: Entry[] = [];
      for await (const [key, bytes] of this.#database.iterator({ gte: LOG_PREFIX, lt: LOG_END })) {
        const entry = decodeEntry(bytes);
        if (!entry.ok) throw this.#damaged(`${key}: ${entry.error.message}`);
        const previous = entries.at(-1)?.index ?? entry.value.index - 1;
        if (key !== entryKey(entry.value.index) || entry.value.index !== previous + 1) {
          throw this.#damaged(`${key} does not follow entry ${previous}`);
        }
        entries.push(entry.value);
      }
      return { hardState: hardState.value, entries };
    });
  }

  async write({ hardState, entries }: LogWrite): Promise<void> {
    const operations: Operation[] = [{ type: 'put', key: HARD_STATE_KEY, value: encodeHardState(hardState) }];
    for (const entry of entries) {
      operations.push({ type: 'put', key: entryKey(entry.index), value: encodeEntry(entry) });
    }
    const last = entries.at(-1)?.index;
    if (last !== undefined) {
      for (let index = last + 1; index <= this.#lastIndex; index++) {
        operations.push({ type: 'del', key: entryKey(index) });
      }
      this.#lastIndex = last;
    }
    await this.#batch(operations);
  }

  async clear(): Promise<void> {
    this.#lastIndex = 0;
    await this.#inTurn(async () => {
      const operations: Operation[] = [{ type: 'del', key: HARD_STATE_KEY }];
      for await (const key of this.#database.keys({ gte: LOG_PREFIX, lt: LOG_END })) {
        operations.push({ type: 'del', key });
      }
      await this.#database.batch(operations, { sync: true });
    });
  }

  async get(name: string): Promise<Uint8Array | null> {
    return this.#guarded(async () => (await this.#database.get(VALUE_PREFIX + name)) ?? null);
  }

  async put(name: string, value: Uint8Array | null): Promise<void> {
    const key = VALUE_PREFIX + name;
    const operation: Operation = value === null ? { type: 'del', key } : { type: 'put', key, value };
    await this.#batch([operation]);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#turns.done();
    await this.#database.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #damaged(detail: string): LogStoreError {
    return damaged(this.#directory, detail);
  }

  #batch(operations: Operation[]): Promise<void> {
    return this.#inTurn(() => this.#database.batch(operations, { sync: true }));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#guarded(() => this.#turns.take(work));
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new LogStoreError('CLOSED', 'the log store is closed');
    try {
      return await work();
    } catch (error) {
      throw error instanceof LogStoreError ? error : storeFailure(this.#directory, error);
    }
  }
}

const foreign = (directory: string, detail: string): LogStoreError =>
  new LogStoreError(
    'FOREIGN',
    `${directory} is not a log of this version of fsched: ${detail}; choose another data directory, or empty this one`,
  );

const damaged = (directory: string, detail: string, cause?: unknown): LogStoreError =>
  new LogStoreError(
    'DAMAGED',
    `the log in ${directory} is damaged (${detail}); move the directory away and join the cluster again as a new node`,
    { cause },
  );

/** Codes of `level` and of the system, innermost first. */
function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') codes.unshift(at.code);
  }
  return codes;
}

function openFailure(directory: string, error: unknown): LogStoreError {
  if (codesOf(error).includes('LEVEL_LOCKED')) {
    return new LogStoreError(
      'LOCKED',
      `${directory} is in use by another process; stop the other daemon or give this one a data directory of its own`,
      { cause: error },
    );
  }
  return storeFailure(directory, error);
}

function storeFailure(directory: string, error: unknown): LogStoreError {
  const codes = codesOf(error);
  const detail = innermostMessage(error);
  // First, since the name of a file that could not be written may look like damage.
  if (/no space left|quota exceeded/i.test(detail)) {
    return new LogStoreError(
      'FULL',
      `the log in ${directory} can't be written (${detail}): free some space on its disk`,
      { cause: error },
    );
  }
  const isDamage = codes.includes('LEVEL_CORRUPTION') || /corrupt|manifest|CURRENT|checksum/i.test(detail);
  if (isDamage) return damaged(directory, detail, error);
  const code: LogStoreErrorCode = codes.includes('LEVEL_DATABASE_NOT_OPEN') ? 'CLOSED' : 'DISK';
  return new LogStoreError(
    code,
    `the log in ${directory} can't be read or written (${detail}); check the disk's space and permissions`,
    { cause: error },
  );
}

function innermostMessage(error: unknown): string {
  let at: unknown = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  return at instanceof Error ? at.message : String(at);
}

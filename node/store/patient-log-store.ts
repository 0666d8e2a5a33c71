/**
 * A log store for which a full disk is a slow one: what can't be written for want of room waits for it, and nothing is
 * acknowledged meanwhile, as with a disk that hangs. So one program that fills a disk takes no voter from its cluster.
 *
 * After a failed write LevelDB may have half a record in its log, and would write the next one behind it, where no one
 * finds it after a crash. So it is closed and opened, which reads what is whole, and the write is done again: a batch
 * puts and deletes by key, and twice is as good as once.
 */
import { type LogStore, LogStoreError, type LogWrite, type StoredLog } from '../consensus/log-store.ts';
import { pause } from '../pause.ts';
import type { Clock, Logger } from '../ports.ts';
import { Turns } from '../turns.ts';

export interface PatientLogStoreDependencies {
  readonly open: () => Promise<LogStore>;
  /** Called at each try that found no room: who fills the disk shall end. */
  readonly onFull: () => void;
  /** Gives up what is kept for the log alone; false when there is nothing left of it. */
  readonly makeRoom: () => Promise<boolean>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const AGAIN_MS = 200;
/** A minute: who looks into the log later must find why the node does nothing, even in its start. */
const TRIES_BETWEEN_WORDS = 300;
/** So many times the room may come by itself, before what is kept for the log alone is taken. */
const TRIES_BEFORE_ROOM_IS_MADE = 3;

/** Waits until it could be opened. @throws LogStoreError, but FULL */
export async function openPatientLogStore(
  dependencies: PatientLogStoreDependencies,
): Promise<PatientLogStore> {
  const store = new PatientLogStore(dependencies);
  await store.open();
  return store;
}

export class PatientLogStore implements LogStore {
  readonly #deps: PatientLogStoreDependencies;
  readonly #givenUp = new AbortController();
  #store: LogStore | null = null;
  /** One after the other, so that what waits is overtaken by nothing. */
  readonly #turns = new Turns();
  #waits = false;
  #closed = false;

  constructor(dependencies: PatientLogStoreDependencies) {
    this.#deps = dependencies;
  }

  /** Whether something waits for room on the disk. */
  get waits(): boolean {
    return this.#waits;
  }

  open(): Promise<void> {
    return this.#inTurn(async () => undefined);
  }

  load(): Promise<StoredLog> {
    return this.#inTurn((store) => store.load());
  }

  write(write: LogWrite): Promise<void> {
    return this.#inTurn((store) => store.write(write));
  }

  clear(): Promise<void> {
    return this.#inTurn((store) => store.clear());
  }

  get(name: string): Promise<Uint8Array | null> {
    return this.#inTurn((store) => store.get(name));
  }

  put(name: string, value: Uint8Array | null): Promise<void> {
    return this.#inTurn((store) => store.put(name, value));
  }

  /** The node stops: what waits for room fails now. */
  giveUp(): void {
    this.#givenUp.abort();
  }

  async close(): Promise<void> {
    this.giveUp();
    this.#closed = true;
    await this.#turns.done();
    const store = this.#store;
    this.#store = null;
    await store?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #inTurn<T>(work: (store: LogStore) => Promise<T>): Promise<T> {
    return this.#turns.take(() => this.#patiently(work));
  }

  async #patiently<T>(work: (store: LogStore) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      if (this.#closed) throw new LogStoreError('CLOSED', 'the log store is closed');
      try {
        this.#store ??= await this.#deps.open();
        const value = await work(this.#store);
        if (this.#waits) this.#deps.logger.info({ tries }, 'the log goes on: its disk has room again');
        this.#waits = false;
        return value;
      } catch (error) {
        const isFull = error instanceof LogStoreError && error.code === 'FULL';
        if (!isFull || this.#givenUp.signal.aborted) throw error;
        await this.#wait(error, tries);
      }
    }
  }

  async #wait(error: LogStoreError, tries: number): Promise<void> {
    const { onFull, makeRoom, clock, logger } = this.#deps;
    if (!this.#waits || tries % TRIES_BETWEEN_WORDS === 0)
      logger.error({ err: error }, 'the log waits: its disk is full, free some space');
    this.#waits = true;
    const store = this.#store;
    this.#store = null;
    await store?.close().catch(() => undefined);
    onFull();
    if (tries >= TRIES_BEFORE_ROOM_IS_MADE && (await makeRoom())) return;
    await pause(clock, AGAIN_MS, this.#givenUp.signal);
  }
}

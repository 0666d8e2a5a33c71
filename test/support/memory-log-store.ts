/** A `LogStore` in memory for tests and the simulator. It can lose what isn't synced, as a crash would. */

import {
  INITIAL_HARD_STATE,
  type LogStore,
  LogStoreError,
  type LogWrite,
  type StoredLog,
} from '../../node/consensus/log-store.ts';
import type { Entry, HardState } from '../../node/consensus/types.ts';

/** What is on the platters. */
export class MemoryDisk {
  hardState: HardState = INITIAL_HARD_STATE;
  entries: Entry[] = [];
  readonly values = new Map<string, Uint8Array>();

  write({ hardState, entries }: LogWrite): void {
    this.hardState = hardState;
    const first = entries[0];
    if (first === undefined) return;
    this.entries.length = Math.min(this.entries.length, first.index - 1);
    this.entries.push(...entries);
  }

  clear(): void {
    this.hardState = INITIAL_HARD_STATE;
    this.entries = [];
  }
}

interface Pending {
  readonly carryOut: () => void;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

export class MemoryLogStore implements LogStore {
  readonly disk: MemoryDisk;
  /** Synced at once when true (the default); otherwise by `sync`. */
  autoSync = true;
  /** When set, every further write fails with it. */
  failure: LogStoreError | null = null;
  #pending: Pending[] = [];
  #closed = false;

  constructor(disk = new MemoryDisk()) {
    this.disk = disk;
  }

  /** How many writes wait to be synced. */
  get unsynced(): number {
    return this.#pending.length;
  }

  async load(): Promise<StoredLog> {
    this.#assertOpen();
    return { hardState: this.disk.hardState, entries: [...this.disk.entries] };
  }

  write(write: LogWrite): Promise<void> {
    return this.#enqueue(() => this.disk.write(write));
  }

  clear(): Promise<void> {
    return this.#enqueue(() => this.disk.clear());
  }

  async get(name: string): Promise<Uint8Array | null> {
    this.#assertOpen();
    return this.disk.values.get(name)?.slice() ?? null;
  }

  put(name: string, value: Uint8Array | null): Promise<void> {
    return this.#enqueue(() => {
      if (value === null) this.disk.values.delete(name);
      else this.disk.values.set(name, value.slice());
    });
  }

  /** Carries out the writes that wait. */
  sync(): void {
    for (const { carryOut, done } of this.#pending.splice(0)) {
      carryOut();
      done();
    }
  }

  /** The machine dies: what wasn't synced is lost, and nobody is told. Open the disk again with a new store. */
  crash(): MemoryDisk {
    this.#pending = [];
    this.#closed = true;
    return this.disk;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.sync();
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #enqueue(carryOut: () => void): Promise<void> {
    this.#assertOpen();
    if (this.failure !== null) throw this.failure;
    await new Promise<void>((done, failed) => {
      this.#pending.push({ carryOut, done, failed });
      if (this.autoSync) this.sync();
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new LogStoreError('CLOSED', 'the log store is closed');
  }
}

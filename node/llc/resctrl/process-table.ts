/** Who runs on the machine, as far as the emulator must know: threads, and who made them. */

export interface ThreadInfo {
  readonly tid: number;
  /** The process that it belongs to. */
  readonly pid: number;
  /** Who forked or cloned it, who made that one, and so on, alive or not, as far as known. */
  readonly lineage: readonly number[];
}

export interface ProcessTable {
  /** Living threads in the order in which the kernel lists them: by process, oldest first. */
  threads(): Promise<readonly ThreadInfo[]>;
  /** The thread that writes: what 0 stands for in a write to `tasks`. */
  writer(): number;
}

/** Processes that exist only on paper, for tests. */
export class SimulatedProcesses implements ProcessTable {
  readonly #threads = new Map<number, ThreadInfo>();
  #nextTid = 1000;
  #writer = 1;

  constructor() {
    this.#threads.set(1, { tid: 1, pid: 1, lineage: [] });
  }

  /** A new process, forked by `creator`. */
  fork(creator = 1, tid = this.#newTid()): number {
    this.#threads.set(tid, { tid, pid: tid, lineage: this.#lineageFrom(creator) });
    return tid;
  }

  /** A new thread in the process of `creator`. */
  clone(creator: number, tid = this.#newTid()): number {
    const lineage = this.#lineageFrom(creator);
    this.#threads.set(tid, { tid, pid: this.#threads.get(creator)?.pid ?? tid, lineage });
    return tid;
  }

  /** Ends one thread; the first thread of a process takes the others with it. */
  exit(tid: number): void {
    for (const thread of [...this.#threads.values()]) {
      if (thread.tid === tid || thread.pid === tid) this.#threads.delete(thread.tid);
    }
  }

  isAlive(tid: number): boolean {
    return this.#threads.has(tid);
  }

  /** Whom the emulator takes to be writing. @default 1 */
  actAs(tid: number): void {
    this.#writer = tid;
  }

  writer(): number {
    return this.#writer;
  }

  async threads(): Promise<readonly ThreadInfo[]> {
    return [...this.#threads.values()];
  }

  #lineageFrom(creator: number): number[] {
    const thread = this.#threads.get(creator);
    if (thread === undefined) throw new RangeError(`no thread ${creator} lives`);
    return [creator, ...thread.lineage];
  }

  #newTid(): number {
    while (this.#threads.has(this.#nextTid)) this.#nextTid++;
    return this.#nextTid++;
  }
}

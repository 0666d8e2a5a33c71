/**
 * One exclusive holder or several shared ones, in the order of asking: who asks to share after one who waits to
 * change waits behind it, so that nobody starves.
 */
export type LockMode = 'exclusive' | 'shared';

/** The lock outside this process that holders of this one need: taken before the first, given back after the last. */
export interface OuterLock {
  acquire(mode: LockMode): Promise<void>;
  release(): Promise<void>;
}

interface Waiter {
  readonly mode: LockMode;
  readonly enter: () => void;
  readonly refuse: (cause: unknown) => void;
}

const NO_OUTER_LOCK: OuterLock = { acquire: async () => {}, release: async () => {} };

export class RwQueue {
  readonly #outer: OuterLock;
  readonly #waiting: Waiter[] = [];
  #state: 'free' | 'changing hands' | LockMode = 'free';
  #holders = 0;

  constructor(outer: OuterLock = NO_OUTER_LOCK) {
    this.#outer = outer;
  }

  /** Not reentrant: `work` must not ask for the same lock. Rejects as `work` does, or when the outer lock fails. */
  async hold<T>(mode: LockMode, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((enter, refuse) => {
      this.#waiting.push({ mode, enter, refuse });
      this.#admit();
    });
    try {
      return await work();
    } finally {
      await this.#leave();
    }
  }

  #admit(): void {
    if (this.#state === 'shared') this.#admitSharers();
    else if (this.#state === 'free') {
      const first = this.#waiting[0];
      if (first !== undefined) void this.#open(first.mode);
    }
  }

  async #open(mode: LockMode): Promise<void> {
    this.#state = 'changing hands';
    try {
      await this.#outer.acquire(mode);
    } catch (cause) {
      this.#state = 'free';
      this.#waiting.shift()?.refuse(cause);
      return this.#admit();
    }
    this.#state = mode;
    if (mode === 'shared') this.#admitSharers();
    else {
      this.#holders = 1;
      this.#waiting.shift()?.enter();
    }
  }

  #admitSharers(): void {
    while (this.#waiting[0]?.mode === 'shared') {
      this.#holders++;
      this.#waiting.shift()?.enter();
    }
  }

  async #leave(): Promise<void> {
    if (--this.#holders > 0) return;
    this.#state = 'changing hands';
    try {
      await this.#outer.release();
    } finally {
      this.#state = 'free';
      this.#admit();
    }
  }
}

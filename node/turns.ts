/** Work that is done one piece after the other, in the order of asking, whether the piece before succeeded or not. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Not reentrant: `work` must not wait for a turn of the same. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when all that was asked for until now is done. */
  async done(): Promise<void> {
    await this.#last;
  }
}

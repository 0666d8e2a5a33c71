/** Virtual time: a binary heap of events, ordered by time and then by the order in which they were made. */
interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

const isBefore = (a: Scheduled, b: Scheduled): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class Scheduler {
  #now = 0;
  #order = 0;
  #heap: Scheduled[] = [];
  /** How many events have run. */
  events = 0;

  get now(): number {
    return this.#now;
  }

  after(delay: number, run: () => void): void {
    this.#push({ at: this.#now + delay, order: this.#order++, run });
  }

  /** Runs everything that is due until then, or until `done`. */
  runUntil(time: number, done: () => boolean = () => false): void {
    while (!done()) {
      const first = this.#heap[0];
      if (first === undefined || first.at > time) break;
      this.#pop();
      this.#now = first.at;
      this.events++;
      first.run();
    }
    if (!done()) this.#now = Math.max(this.#now, time);
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Scheduled;
      if (!isBefore(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Scheduled;
    if (heap.length === 0) return;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      const right = heap[down + 1];
      if (right !== undefined && isBefore(right, heap[down] as Scheduled)) down++;
      const child = heap[down] as Scheduled;
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
  }
}

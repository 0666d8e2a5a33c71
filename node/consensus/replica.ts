/**
 * The synchronous half of the driver: keeps the order contract of `Effects` between the core and a disk with
 * one write in flight. Knows no promises and no timers, so that the simulator runs it as it is.
 */
import type { RaftCore } from './core.ts';
import {
  type Effects,
  type Input,
  type Message,
  mergePersists,
  type Outgoing,
  type Persist,
  type Proposed,
} from './messages.ts';
import type { Refused } from './objections.ts';
import type { Entry, NodeId } from './types.ts';

export interface ReplicaWorld {
  /** Begins one atomic, synced write; `written` is called when it is on disk. Never called while one is in flight. */
  write(persist: Persist): void;
  send(to: NodeId, message: Message): void;
  apply(entry: Entry): void;
  /** The message that was stepped counts for nothing. */
  refused(refused: Refused): void;
}

export class Replica {
  readonly #core: RaftCore;
  readonly #world: ReplicaWorld;
  #inFlight: Persist | null = null;
  /** Merged while a write is in flight; the next one. */
  #waiting: Persist | null = null;
  /** Messages that wait for the disk, by ascending `after`. */
  #held: Outgoing[] = [];

  constructor(core: RaftCore, world: ReplicaWorld) {
    this.#core = core;
    this.#world = world;
  }

  get writing(): boolean {
    return this.#inFlight !== null;
  }

  /** Applies what is known to be committed already; once, before any input. */
  begin(): void {
    this.#carryOut(this.#core.begin());
  }

  step(input: Input): Proposed | null {
    const effects = this.#core.step(input);
    this.#carryOut(effects);
    return effects.proposed;
  }

  /** The write in flight is on disk. */
  written(): void {
    const done = this.#inFlight;
    if (done === null) return;
    this.#inFlight = null;
    while (this.#held[0] !== undefined && this.#held[0].after <= done.sequence) {
      const { to, message } = this.#held[0];
      this.#held.shift();
      this.#world.send(to, message);
    }
    this.step({ type: 'persisted', sequence: done.sequence });
    this.#startWrite();
  }

  #carryOut({ persist, messages, committed, refused }: Effects): void {
    if (refused !== null) this.#world.refused(refused);
    if (persist !== null) this.#waiting = mergePersists(this.#waiting, persist);
    for (const outgoing of messages) {
      if (outgoing.after === 0) this.#world.send(outgoing.to, outgoing.message);
      else this.#held.push(outgoing);
    }
    for (const entry of committed) this.#world.apply(entry);
    this.#startWrite();
  }

  #startWrite(): void {
    if (this.#inFlight !== null || this.#waiting === null) return;
    this.#inFlight = this.#waiting;
    this.#waiting = null;
    this.#world.write(this.#inFlight);
  }
}

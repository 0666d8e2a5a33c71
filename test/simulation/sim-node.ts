/** One simulated node: the real core and replica on a simulated disk, with crashes. */
import { decodeMessage, encodeMessage } from '../../node/consensus/codec.ts';
import { RaftCore } from '../../node/consensus/core.ts';
import type { CoreOptions } from '../../node/consensus/core-state.ts';
import type { Input, Message, Persist, Proposed } from '../../node/consensus/messages.ts';
import type { Refused } from '../../node/consensus/objections.ts';
import { Replica } from '../../node/consensus/replica.ts';
import type { StatusHead } from '../../node/consensus/status-view.ts';
import type { Entry, NodeId } from '../../node/consensus/types.ts';
import { MemoryDisk } from '../support/memory-log-store.ts';
import type { Checks } from './checker.ts';
import type { Prng } from './prng.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimMachine } from './sim-machine.ts';

/** Ways in which a disk may break its promises; none in an honest run. To see that the checker sees. */
export type Dishonesty = 'none' | 'says synced before it is' | 'forgets the vote' | 'loses the last entry';

export interface DiskWeather {
  readonly delayMs: number;
  readonly stallChance: number;
  readonly stallMs: number;
}

export interface SimNodeWorld {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly dishonesty: Dishonesty;
  /** Every message through its bytes. */
  readonly useCodec: boolean;
  readonly machine: SimMachine;
  checker(): Checks;
  diskWeather(): DiskWeather;
  send(from: NodeId, to: NodeId, message: Message): void;
  /** After an entry was applied. */
  applied(node: SimNode, entry: Entry): void;
  refused(node: SimNode, refused: Refused): void;
  /** After each step. */
  stepped(node: SimNode): void;
  /** A write begins that takes `ms`. */
  writing(node: SimNode, persist: Persist, ms: number): void;
}

export class SimNode {
  readonly id: NodeId;
  readonly disk = new MemoryDisk();
  readonly machine: SimMachine;
  alive = false;
  /** Stopped for good. */
  retired = false;
  applied = 0;
  /** Grows with each start: events of an earlier life are void. */
  #life = 0;
  #core: RaftCore | null = null;
  #replica: Replica | null = null;
  #inFlight: Persist | null = null;
  readonly #options: CoreOptions;
  readonly #world: SimNodeWorld;

  constructor(options: CoreOptions, world: SimNodeWorld) {
    this.id = options.id;
    this.machine = world.machine;
    this.#options = options;
    this.#world = world;
  }

  get core(): RaftCore {
    if (this.#core === null) throw new Error(`${this.id} never started`);
    return this.#core;
  }

  head(): StatusHead {
    return this.core.head();
  }

  start(tickMs: number): void {
    if (this.retired) return;
    const life = ++this.#life;
    this.alive = true;
    this.applied = 0;
    this.machine.reset();
    const { hardState, entries } = this.disk;
    const votedFor = this.#world.dishonesty === 'forgets the vote' ? null : hardState.votedFor;
    const seed = { hardState: { ...hardState, votedFor }, entries: [...entries] };
    this.#core = new RaftCore(this.#options, seed, this.#world.random);
    this.#replica = new Replica(this.#core, {
      write: (persist) => this.#write(persist),
      send: (to, message) => this.#send(to, message),
      apply: (entry) => this.#apply(entry),
      refused: (refused) => this.#world.refused(this, refused),
    });
    this.#replica.begin();
    const tick = (): void => {
      if (this.#life !== life || !this.alive) return;
      this.step({ type: 'tick' });
      this.#world.scheduler.after(tickMs, tick);
    };
    this.#world.scheduler.after(this.#world.random.next() * tickMs, tick);
  }

  /** Power is cut: the write in flight is on disk, or not; nothing else is left. */
  crash(): void {
    if (!this.alive) return;
    this.alive = false;
    const { dishonesty, random } = this.#world;
    if (this.#inFlight !== null && random.chance(0.5)) this.disk.write(this.#inFlight);
    if (dishonesty === 'loses the last entry' && this.disk.entries.length > 1) {
      this.disk.entries.pop();
      const commitIndex = Math.min(this.disk.hardState.commitIndex, this.disk.entries.length);
      this.disk.hardState = { ...this.disk.hardState, commitIndex };
    }
    this.#inFlight = null;
  }

  step(input: Input): Proposed | null {
    if (!this.alive || this.#replica === null) return null;
    const proposed = this.#replica.step(input);
    this.#world.stepped(this);
    return proposed;
  }

  #write(persist: Persist): void {
    const life = this.#life;
    this.#inFlight = persist;
    const { scheduler, random, dishonesty } = this.#world;
    const { delayMs, stallChance, stallMs } = this.#world.diskWeather();
    const delay = 0.2 + random.next() * (random.chance(stallChance) ? stallMs : delayMs);
    this.#world.writing(this, persist, delay);
    const done = (): void => {
      if (this.#life !== life || !this.alive) return;
      this.disk.write(persist);
      this.#inFlight = null;
      this.#replica?.written();
      this.#world.stepped(this);
    };
    if (dishonesty === 'says synced before it is') {
      // On the platters 20 ms later, in order: a crash in between loses what was promised.
      scheduler.after(20, () => {
        if (this.#life === life && this.alive) this.disk.write(persist);
      });
      this.#inFlight = null;
      scheduler.after(0, () => {
        if (this.#life !== life || !this.alive) return;
        this.#replica?.written();
        this.#world.stepped(this);
      });
      return;
    }
    scheduler.after(delay, done);
  }

  #send(to: NodeId, message: Message): void {
    this.#world.checker().sends(this.id, to, message);
    this.#world.send(this.id, to, this.#world.useCodec ? throughBytes(message) : message);
  }

  #apply(entry: Entry): void {
    this.#world.checker().applies(this, entry);
    this.applied = entry.index;
    if (entry.kind === 'command') this.machine.apply(entry.data, entry.index);
    this.#world.applied(this, entry);
  }
}

function throughBytes(message: Message): Message {
  const decoded = decodeMessage(encodeMessage(message));
  if (!decoded.ok) throw new Error(`the codec doesn't read what it wrote: ${decoded.error.message}`);
  return decoded.value;
}

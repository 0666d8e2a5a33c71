/** A network that drops, delays, duplicates and reorders, and whose links can be cut one way or both. */
import type { NodeId } from '../../node/consensus/types.ts';
import type { Prng } from './prng.ts';
import type { Scheduler } from './scheduler.ts';

export interface NetworkWeather {
  readonly dropChance: number;
  readonly duplicateChance: number;
  /** Of a message that is late by up to `longDelayMs`. */
  readonly lateChance: number;
  readonly delayMs: number;
  readonly longDelayMs: number;
}

export const FAIR_WEATHER: NetworkWeather = {
  dropChance: 0,
  duplicateChance: 0,
  lateChance: 0,
  delayMs: 3,
  longDelayMs: 3,
};

export class Network<Payload> {
  weather: NetworkWeather = FAIR_WEATHER;
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #deliver: (from: NodeId, to: NodeId, payload: Payload) => void;
  readonly #cut = new Set<string>();

  constructor(
    scheduler: Scheduler,
    random: Prng,
    deliver: (from: NodeId, to: NodeId, payload: Payload) => void,
  ) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#deliver = deliver;
  }

  /** Cuts the way from one node to another; the way back stays. */
  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(`${from}>${to}`);
  }

  mend(): void {
    this.#cut.clear();
  }

  send(from: NodeId, to: NodeId, payload: Payload): void {
    const { dropChance, duplicateChance } = this.weather;
    if (this.#cut.has(`${from}>${to}`) || this.#random.chance(dropChance)) return;
    this.#schedule(from, to, payload);
    if (this.#random.chance(duplicateChance)) this.#schedule(from, to, payload);
  }

  #schedule(from: NodeId, to: NodeId, payload: Payload): void {
    const { lateChance, delayMs, longDelayMs } = this.weather;
    const longest = this.#random.chance(lateChance) ? longDelayMs : delayMs;
    const delay = 0.5 + this.#random.next() * longest;
    this.#scheduler.after(delay, () => {
      if (!this.#cut.has(`${from}>${to}`)) this.#deliver(from, to, payload);
    });
  }
}

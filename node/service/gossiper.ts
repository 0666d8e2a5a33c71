/** Publishes what is always being replaced: this node's capacity, and the digest while it is master. */
import type { CapacityBoard } from '../membership/capacity-board.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock } from '../ports.ts';
import type { Signal } from '../signal.ts';
import type { SelfDescription } from './self-description.ts';

/** The heartbeat of both topics. */
const PERIOD_MS = 1_000;
/** Changes within this time go out as one message: outbound gossip has no back-pressure. */
const COALESCE_MS = 50;

export interface GossiperDependencies {
  readonly mesh: Pick<Mesh, 'publishCapacity' | 'publishDigest'>;
  readonly board: CapacityBoard;
  readonly self: Pick<SelfDescription, 'capacity' | 'digest'>;
  /** A message goes out soon after it. */
  readonly changed: Signal;
  readonly clock: Clock;
}

export class Gossiper {
  readonly #deps: GossiperDependencies;
  #sequence = 0;
  #due: Cancel | null = null;
  #stops: Cancel[] = [];

  constructor(dependencies: GossiperDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    const { clock, changed } = this.#deps;
    this.#stops = [clock.every(PERIOD_MS, () => this.#publish()), changed.on(() => this.#publishSoon())];
    this.#publish();
  }

  stop(): void {
    this.#due?.();
    this.#due = null;
    for (const stop of this.#stops.splice(0)) stop();
  }

  #publishSoon(): void {
    this.#due ??= this.#deps.clock.after(COALESCE_MS, () => {
      this.#due = null;
      this.#publish();
    });
  }

  #publish(): void {
    const { self, board, mesh } = this.#deps;
    this.#sequence += 1;
    const notice = { ...self.capacity(), sequence: this.#sequence };
    board.hear(notice);
    mesh.publishCapacity(notice);
    const digest = self.digest();
    if (digest) mesh.publishDigest(digest);
  }
}

/** Publishes what is always being replaced: this node's capacity, and the digest while it is master. */

import type { CapacityBoard } from '../membership/capacity-board.ts';
import type { CapacityNotice, ClusterDigest, Mesh } from '../mesh/types.ts';
import type { Cancel, Clock } from '../ports.ts';

/** The heartbeat of both topics. */
const PERIOD_MS = 1_000;
/** Changes within this time go out as one message: outbound gossip has no back-pressure. */
const COALESCE_MS = 50;

export interface GossiperDependencies {
  readonly mesh: Pick<Mesh, 'publishCapacity' | 'publishDigest'>;
  readonly board: CapacityBoard;
  readonly capacity: () => Omit<CapacityNotice, 'sequence'>;
  /** Null while this node isn't master. */
  readonly digest: () => ClusterDigest | null;
  readonly clock: Clock;
}

export class Gossiper {
  readonly #deps: GossiperDependencies;
  #sequence = 0;
  #due: Cancel | null = null;
  #heartbeat: Cancel | null = null;

  constructor(dependencies: GossiperDependencies) {
    this.#deps = dependencies;
  }

  start(): void {
    this.#heartbeat = this.#deps.clock.every(PERIOD_MS, () => this.publish());
    this.publish();
  }

  stop(): void {
    this.#heartbeat?.();
    this.#due?.();
    this.#heartbeat = this.#due = null;
  }

  /** Something changed: a message goes out soon. */
  changed(): void {
    if (!this.#heartbeat || this.#due) return;
    this.#due = this.#deps.clock.after(COALESCE_MS, () => {
      this.#due = null;
      this.publish();
    });
  }

  publish(): void {
    this.#sequence += 1;
    const notice = { ...this.#deps.capacity(), sequence: this.#sequence };
    this.#deps.board.hear(notice);
    this.#deps.mesh.publishCapacity(notice);
    const digest = this.#deps.digest();
    if (digest) this.#deps.mesh.publishDigest(digest);
  }
}

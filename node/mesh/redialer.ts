/** Tries for ever to reach the members that this node lost, ever more seldom, each node at its own moments. */
import { type BackOffRange, backOff } from '../back-off.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Random } from '../ports.ts';

const DELAY: BackOffRange = { firstMs: 250, longestMs: 15_000 };
/** A connection that lasted so long was a real one: the count of tries starts anew. */
const SETTLED_MS = 5000;

interface Chase {
  attempts: number;
  nextAtMs: number;
  dialling: boolean;
  cancel: Cancel;
}

export interface RedialerDependencies {
  readonly clock: Clock;
  readonly random: Random;
  /** One try over all known addresses; never rejects. */
  readonly dial: (id: NodeId) => Promise<boolean>;
}

export class Redialer {
  readonly #deps: RedialerDependencies;
  readonly #chases = new Map<NodeId, Chase>();
  /** Of connected peers: the tries before, and since when. */
  readonly #reached = new Map<NodeId, { readonly attempts: number; readonly atMs: number }>();

  constructor(dependencies: RedialerDependencies) {
    this.#deps = dependencies;
  }

  /** Starts to try, at once; if it is trying already, doesn't wait for the next turn. */
  chaseNow(id: NodeId): void {
    const chase = this.#chases.get(id) ?? this.#begin(id, 0);
    if (!chase.dialling) this.#schedule(id, chase, 0);
  }

  /** The connection to `id` was lost. */
  lost(id: NodeId): void {
    if (this.#chases.has(id)) return;
    const before = this.#reached.get(id);
    this.#reached.delete(id);
    const settled = before === undefined || this.#deps.clock.monotonicMs() - before.atMs >= SETTLED_MS;
    const chase = this.#begin(id, settled ? 0 : before.attempts + 1);
    this.#schedule(id, chase, this.#delayMs(chase));
  }

  /** There is a connection to `id`, whoever dialled. */
  reached(id: NodeId): void {
    const chase = this.#chases.get(id);
    chase?.cancel();
    this.#chases.delete(id);
    this.#reached.set(id, { attempts: chase?.attempts ?? 0, atMs: this.#deps.clock.monotonicMs() });
  }

  /** `id` is no member any more. */
  forget(id: NodeId): void {
    this.#chases.get(id)?.cancel();
    this.#chases.delete(id);
    this.#reached.delete(id);
  }

  state(id: NodeId): { readonly attempts: number; readonly nextAtMs: number } | null {
    const chase = this.#chases.get(id);
    return chase === undefined ? null : { attempts: chase.attempts, nextAtMs: chase.nextAtMs };
  }

  stop(): void {
    for (const chase of this.#chases.values()) chase.cancel();
    this.#chases.clear();
    this.#reached.clear();
  }

  #begin(id: NodeId, attempts: number): Chase {
    const nextAtMs = this.#deps.clock.monotonicMs();
    const chase: Chase = { attempts, nextAtMs, dialling: false, cancel: () => {} };
    this.#chases.set(id, chase);
    return chase;
  }

  /** With full jitter: nodes that lost each other at one moment must not dial each other at one moment. */
  #delayMs({ attempts }: Chase): number {
    return this.#deps.random.next() * backOff(DELAY, attempts);
  }

  #schedule(id: NodeId, chase: Chase, delayMs: number): void {
    const { clock } = this.#deps;
    chase.cancel();
    chase.nextAtMs = clock.monotonicMs() + delayMs;
    chase.cancel = clock.after(delayMs, () => void this.#try(id, chase));
  }

  async #try(id: NodeId, chase: Chase): Promise<void> {
    chase.dialling = true;
    await this.#deps.dial(id);
    chase.dialling = false;
    // Reached, forgotten or stopped meanwhile: this chase is over.
    if (this.#chases.get(id) !== chase) return;
    chase.attempts += 1;
    this.#schedule(id, chase, this.#delayMs(chase));
  }
}

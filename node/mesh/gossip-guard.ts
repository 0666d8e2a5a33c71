/**
 * How much gossip a member may cause. Gossipsub checks the signature of whatever comes, and a notice takes its time to
 * decode: so of each author only so much is taken from itself, and passed on, and who brings many times what all
 * authors together may say is not listened to for a while; what is no news counts twice. It stays a member: consensus and calls go on.
 */
import { MAX_MESSAGE_BYTES } from '../../protocols/gossip/index.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { Allowance } from './allowance.ts';

/** A message costs one, and one more for each of these. */
const UNIT_BYTES = 4096;
/** What an author may say: a small notice on each change, or a large one every few seconds. */
const AUTHOR = { burst: 2 + MAX_MESSAGE_BYTES / UNIT_BYTES, perSecond: 32 } as const;
/** A neighbour passes on what others say, and it may do so twice, and a little of its own. */
const RELAY = { burst: 4 * AUTHOR.burst, perSecond: 3 * AUTHOR.perSecond } as const;
const MUTE_MS = 60_000;
/** Lines of the log about one author or neighbour. */
const LOG = { burst: 3, perSecond: 0.01 } as const;

const cost = (bytes: number): number => 1 + Math.floor(bytes / UNIT_BYTES);

export interface GossipGuardDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many others may speak. */
  readonly authors: () => number;
  /** The neighbour is to be heard no more, or again. */
  readonly onMute: (id: NodeId, muted: boolean) => void;
}

export class GossipGuard {
  readonly #deps: GossipGuardDependencies;
  readonly #own: Allowance;
  readonly #authors: Allowance;
  readonly #messages: Allowance;
  readonly #bytes: Allowance;
  readonly #log: Allowance;
  readonly #muted = new Map<NodeId, Cancel>();

  constructor(dependencies: GossipGuardDependencies) {
    this.#deps = dependencies;
    // Spent sooner than others would refuse it: a message takes its time, and comes with others at once.
    this.#own = new Allowance({ burst: AUTHOR.burst / 2, perSecond: AUTHOR.perSecond - 4 }, dependencies);
    this.#authors = new Allowance(AUTHOR, dependencies);
    this.#messages = new Allowance(RELAY, dependencies);
    this.#bytes = new Allowance(RELAY, dependencies);
    this.#log = new Allowance(LOG, dependencies);
  }

  isMuted(id: NodeId): boolean {
    return this.#muted.has(id);
  }

  /** Whether this node may say so much now: others would not hear more. */
  maySay(bytes: number): boolean {
    return this.#own.take('', cost(bytes));
  }

  mayHear(author: NodeId, bytes: number): boolean {
    return this.#authors.take(author, cost(bytes));
  }

  /** A neighbour brought a message, whoever said it. */
  brought(relay: NodeId, bytes: number): void {
    if (!this.#messages.take(relay, cost(bytes) / this.#share())) this.#mute(relay, 'messages');
  }

  /** So many bytes came from a neighbour, whatever they are. */
  received(relay: NodeId, bytes: number): void {
    if (!this.#bytes.take(relay, bytes / UNIT_BYTES / this.#share())) this.#mute(relay, 'bytes');
  }

  /** Whether the log may be told of something about `id` once more. */
  mayLog(id: NodeId): boolean {
    return this.#log.take(id);
  }

  #share(): number {
    return Math.max(1, this.#deps.authors());
  }

  #mute(id: NodeId, what: string): void {
    const { clock, logger, onMute } = this.#deps;
    if (this.#muted.has(id)) return;
    const again = (): void => {
      this.#muted.delete(id);
      onMute(id, false);
    };
    this.#muted.set(id, clock.after(MUTE_MS, again));
    logger.warn(
      { peer: id, what, seconds: MUTE_MS / 1000 },
      'a neighbour floods gossip, not heard for a while',
    );
    onMute(id, true);
  }
}

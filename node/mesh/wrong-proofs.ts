/**
 * Makes wrong proofs of a token cost their sender time, and nobody else anything: the verdict comes the later the more
 * of them came from one source. A right proof is answered at once, wherever it comes from, so that nobody can lock out
 * who shares an address with them; peer ids are free and count nothing.
 */

import { pause } from '../pause.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';

const FIRST_DELAY_MS = 250;
/** Less than the time in which a proof must be over. */
const LONGEST_DELAY_MS = 8_000;
/** How long a wrong proof is held against its source. */
const REMEMBERED_MS = 300_000;
/** Sources remembered at most, the oldest is forgotten first: memory isn't free either. */
const MAX_SOURCES = 4096;
/** The log hears of the first at once, then once in so long how many there were. */
const LOG_PERIOD_MS = 10_000;

export interface WrongProofsDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

export class WrongProofs {
  readonly #deps: WrongProofsDependencies;
  readonly #bySource = new Map<string, { readonly count: number; readonly untilMs: number }>();
  #unsaid = { proofs: 0, peers: new Set<string>(), address: '' };
  #period: Cancel | null = null;

  constructor(dependencies: WrongProofsDependencies) {
    this.#deps = dependencies;
  }

  /** Resolves when the sender may be told that its proof was wrong. */
  async record(peer: string, source: string): Promise<void> {
    const { clock } = this.#deps;
    this.#log(peer, source);
    const known = this.#bySource.get(source);
    const count = known !== undefined && clock.monotonicMs() < known.untilMs ? known.count : 0;
    this.#bySource.delete(source);
    this.#bySource.set(source, { count: count + 1, untilMs: clock.monotonicMs() + REMEMBERED_MS });
    const [oldest] = this.#bySource.keys();
    if (this.#bySource.size > MAX_SOURCES && oldest !== undefined) this.#bySource.delete(oldest);
    await pause(clock, Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** count));
  }

  #log(peer: string, address: string): void {
    const { clock, logger } = this.#deps;
    if (this.#period === null) {
      logger.warn({ peer, address }, 'wrong join token');
      this.#period = clock.after(LOG_PERIOD_MS, () => this.#sum());
      return;
    }
    this.#unsaid.proofs += 1;
    this.#unsaid.address = address;
    if (this.#unsaid.peers.size < MAX_SOURCES) this.#unsaid.peers.add(peer);
  }

  #sum(): void {
    const { clock, logger } = this.#deps;
    const { proofs, peers, address } = this.#unsaid;
    this.#unsaid = { proofs: 0, peers: new Set(), address: '' };
    this.#period = null;
    if (proofs === 0) return;
    const seconds = LOG_PERIOD_MS / 1000;
    logger.warn({ proofs, peers: peers.size, address, seconds }, 'wrong join tokens');
    this.#period = clock.after(LOG_PERIOD_MS, () => this.#sum());
  }
}

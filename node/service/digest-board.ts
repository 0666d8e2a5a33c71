/**
 * The newest digest of the present master. Only the leader that this node knows, in the present term, is heeded, and
 * nothing older than what it said: an old digest that somebody plays again would make a node that lags take itself for
 * caught up.
 */
import type { ClusterDigest } from '../../protocols/schema/capacity.ts';
import type { ConsensusStatus } from '../consensus/types.ts';
import type { Clock } from '../ports.ts';

/** Half of the master's heartbeat (gossiper.ts): sooner, a digest that tells the same is no news. */
const REPEAT_MS = 500;

export interface DigestBoardDependencies {
  readonly status: () => Pick<ConsensusStatus, 'leader' | 'term' | 'appliedIndex'>;
  readonly clock: Clock;
}

export class DigestBoard {
  readonly #deps: DigestBoardDependencies;
  #newest: ClusterDigest | null = null;
  #heardAtMs = 0;

  constructor(dependencies: DigestBoardDependencies) {
    this.#deps = dependencies;
  }

  get newest(): ClusterDigest | null {
    return this.#newest;
  }

  /** False for one that isn't heeded, or that was heard a moment ago. */
  hear(digest: ClusterDigest): boolean {
    const { status, clock } = this.#deps;
    const { leader, term } = status();
    if (digest.master !== leader || digest.term !== term) return false;
    const now = clock.monotonicMs();
    const known = this.#newest;
    if (known?.master === leader && known.term === term) {
      if (digest.commitIndex < known.commitIndex) return false;
      const isRepeated = digest.commitIndex === known.commitIndex;
      if (isRepeated && now - this.#heardAtMs < REPEAT_MS) return false;
    }
    this.#newest = digest;
    this.#heardAtMs = now;
    return true;
  }

  /** Whether this node has applied all that is committed, by the master's own word: of an earlier term it proves nothing. */
  isCaughtUp(): boolean {
    const { leader, term, appliedIndex } = this.#deps.status();
    const newest = this.#newest;
    const isMasters = leader !== null && newest?.master === leader && newest.term === term;
    return isMasters && newest.commitIndex <= appliedIndex;
  }
}

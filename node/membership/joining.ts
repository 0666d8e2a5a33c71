/** Asks to be let into the cluster, of one member after the other, until one does. */
import type { KnownPeer, NewMember } from '../../protocols/schema/member.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { type BackOffRange, backOff, spread } from '../back-off.ts';
import type { NodeId } from '../consensus/types.ts';
import type { Mesh } from '../mesh/types.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import { isTokenFault } from '../token-advice.ts';

const RETRY: BackOffRange = { firstMs: 250, longestMs: 5_000 };

/** Why this node can't take part and must not go on trying. */
export interface MembershipFailure {
  readonly code: 'TOKEN' | 'OTHER_CLUSTER' | 'REMOVED';
  readonly message: string;
}

export interface JoiningDependencies {
  readonly mesh: Pick<Mesh, 'join'>;
  /** This node as the members table should have it. */
  readonly self: () => NewMember;
  /** HOST:PORT or multiaddr. */
  readonly targets: () => readonly string[];
  /** Whether this node still wants to be let in. */
  readonly isNeeded: () => boolean;
  /** `by` is who answered. */
  readonly onAdmitted: (clusterId: string, members: readonly KnownPeer[], by: NodeId) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Asking again with the same token would come to the same. */
const isFinal = (code: string): boolean =>
  isTokenFault(code) || code === 'WRONG_TOKEN' || code === 'NO_TOKEN' || code === 'REMOVED';

export class Joining {
  readonly #deps: JoiningDependencies;
  #retry: Cancel | null = null;
  #stopped = false;

  constructor(dependencies: JoiningDependencies) {
    this.#deps = dependencies;
  }

  /** Tries every way in once; on no success it sets a timer and returns, but where the token is of no use. */
  async once(failures = 0): Promise<Outcome<void, MembershipFailure>> {
    const { mesh, self, targets, logger, random, onAdmitted } = this.#deps;
    const delayMs = spread(backOff(RETRY, failures), random);
    let useless: MembershipFailure | null = null;
    for (const target of targets()) {
      const outcome = await mesh.join(target, { type: 'join', member: self() });
      if (this.#stopped) return succeed(undefined);
      if (outcome.ok && outcome.value.response.type === 'admitted') {
        const { clusterId, members } = outcome.value.response;
        logger.info({ clusterId, through: target }, 'joined');
        await onAdmitted(clusterId, members, outcome.value.peer);
        return succeed(undefined);
      }
      const refusal = outcome.ok ? outcome.value.response : outcome.error;
      const reason = 'message' in refusal ? refusal.message : 'unexpected answer';
      if ('code' in refusal && isFinal(refusal.code)) useless = { code: 'TOKEN', message: reason };
      logger.warn({ target, reason, retryInMs: delayMs }, 'join failed');
    }
    if (useless !== null) return fail(useless);
    this.later(delayMs, failures + 1);
    return succeed(undefined);
  }

  /** Tries after a while, if it is still needed then. */
  later(afterMs: number, failures = 0): void {
    this.#retry?.();
    this.#retry = this.#deps.clock.after(afterMs, () => void this.#again(failures));
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.();
  }

  async #again(failures: number): Promise<void> {
    if (this.#stopped || !this.#deps.isNeeded()) return;
    try {
      const outcome = await this.once(failures);
      if (!outcome.ok) this.#deps.logger.error({ reason: outcome.error.message }, 'join refused');
    } catch (error) {
      this.#deps.logger.error({ err: error }, 'what was joined could not be stored');
      this.later(RETRY.longestMs, failures);
    }
  }
}

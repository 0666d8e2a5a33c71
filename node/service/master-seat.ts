/**
 * Holds the master while this node leads. Leading is not enough: an entry of the own term must be committed and
 * applied first, else the tables may miss what an earlier master acknowledged (Raft, section 8).
 */
import type { Consensus, ConsensusStatus } from '../consensus/types.ts';
import type { Master } from '../master/master.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { ApplyResult } from '../state/types.ts';
import type { RunWatch } from './run-watch.ts';

/** Whoever waits for a run on a node that has seen no master for so long is told to ask elsewhere. */
const LEADERLESS_MS = 15_000;

export interface MasterSeatDependencies {
  readonly consensus: Pick<Consensus<ApplyResult>, 'status' | 'onChange'>;
  readonly create: () => Master;
  readonly watch: RunWatch;
  /** Called after this node became master, and after it stopped being it. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class MasterSeat {
  readonly #deps: MasterSeatDependencies;
  #seated: { readonly master: Master; readonly term: number } | null = null;
  #known: { readonly leader: string | null; readonly term: number } = { leader: null, term: 0 };
  #unsubscribe: Cancel | null = null;
  #giveUp: Cancel | null = null;

  constructor(dependencies: MasterSeatDependencies) {
    this.#deps = dependencies;
  }

  get master(): Master | null {
    return this.#seated?.master ?? null;
  }

  start(): void {
    this.#unsubscribe = this.#deps.consensus.onChange((status) => this.#follow(status));
    this.#follow(this.#deps.consensus.status());
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#giveUp?.();
    this.#leave();
  }

  #follow(status: ConsensusStatus): void {
    if (status.leader !== this.#known.leader || status.term !== this.#known.term) {
      this.#known = { leader: status.leader, term: status.term };
      this.#deps.logger.info(
        { ...this.#known, role: status.role },
        status.leader ? 'master known' : 'no master',
      );
      this.#watchLeaderless(status);
    }
    const leads = status.role === 'leader' && status.ready;
    if (this.#seated && (!leads || this.#seated.term !== status.term)) this.#leave();
    if (leads && !this.#seated) this.#take(status.term);
  }

  #take(term: number): void {
    const master = this.#deps.create();
    this.#seated = { master, term };
    this.#deps.logger.info({ term }, 'this node is master');
    master.start();
    this.#deps.onChange();
  }

  #leave(): void {
    if (!this.#seated) return;
    const { master, term } = this.#seated;
    this.#seated = null;
    master.stop();
    this.#deps.logger.info({ term }, 'this node is no longer master');
    this.#deps.onChange();
  }

  #watchLeaderless(status: ConsensusStatus): void {
    this.#giveUp?.();
    this.#giveUp = null;
    if (status.leader !== null) return;
    this.#giveUp = this.#deps.clock.after(LEADERLESS_MS, () =>
      this.#deps.watch.abandon({
        code: 'NO_MASTER',
        message:
          'the cluster has had no master for a while; the run goes on, ask /runs when there is one again',
        retryAfterSeconds: 5,
      }),
    );
  }
}

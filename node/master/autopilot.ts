/**
 * Makes the Raft configuration follow the members table, one step at a time: new members become learners, those
 * that caught up become voters while an odd number of them is wanted, those that were removed leave.
 */
import { memberToPlan, planMembership } from '../consensus/membership.ts';
import type { Consensus, ConsensusStatus, NodeId } from '../consensus/types.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';

const PERIOD_MS = 250;
/** Some heartbeats. */
const LEAVE_MS = 1_000;

export interface AutopilotOptions {
  readonly maxVoters: number;
}

export interface AutopilotDependencies {
  readonly consensus: Pick<Consensus<ApplyResult>, 'status' | 'changeConfiguration'>;
  readonly tables: Tables;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Autopilot {
  readonly #options: AutopilotOptions;
  readonly #deps: AutopilotDependencies;
  /** Nodes that were removed from the table, and since when (monotonic) they are on their way out. */
  readonly #leaving = new Map<NodeId, number>();
  #stops: Cancel[] = [];
  #busy = false;

  constructor(options: AutopilotOptions, dependencies: AutopilotDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  start(): void {
    this.#stops = [
      this.#deps.clock.every(PERIOD_MS, () => void this.step()),
      this.#deps.tables.onApplied((command) => {
        if (command.type.startsWith('member-')) this.#deps.clock.after(0, () => void this.step());
      }),
    ];
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  async step(): Promise<void> {
    if (this.#busy || this.#stops.length === 0) return;
    this.#busy = true;
    try {
      const change = this.#plan();
      if (!change) return;
      const outcome = await this.#deps.consensus.changeConfiguration(change);
      this.#deps.logger.info(
        { ...change, outcome: outcome.ok ? 'done' : outcome.error.code },
        'membership step',
      );
    } finally {
      this.#busy = false;
    }
  }

  #plan(): ReturnType<typeof planMembership> {
    const status = this.#deps.consensus.status();
    return planMembership({
      self: status.id,
      configuration: status.configuration,
      maxVoters: this.#options.maxVoters,
      answering: [...status.progress].filter(([, { active }]) => active).map(([id]) => id),
      members: [
        ...this.#deps.tables.members().map(({ id, mayVote }) => memberToPlan(status, id, mayVote)),
        ...this.#stillHearing(status).map((id) => ({ id, alive: true, caughtUp: false, mayVote: true })),
      ],
    });
  }

  /**
   * Removed nodes that answer stay in the configuration for a moment: once out of it they are sent nothing more,
   * and would never hear that they were removed.
   */
  #stillHearing({ configuration, progress }: ConsensusStatus): NodeId[] {
    const now = this.#deps.clock.monotonicMs();
    const nodes = [...configuration.voters, ...configuration.learners];
    const leaving = nodes.filter((id) => progress.has(id) && !this.#deps.tables.member(id));
    for (const id of this.#leaving.keys()) if (!leaving.includes(id)) this.#leaving.delete(id);
    return leaving.filter((id) => {
      const since = this.#leaving.get(id) ?? now;
      this.#leaving.set(id, since);
      return progress.get(id)?.active === true && now - since < LEAVE_MS;
    });
  }
}

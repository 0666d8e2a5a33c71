/**
 * The queue and its placement. Runs are admitted with a place at once when one is free, else they wait in the
 * runs table; whatever frees ways, or brings new ones, pumps the queue. Ways are reserved from the moment of
 * the proposal, so that two requests in flight never get the same ones.
 */

import type { CapacityNotice } from '../../protocols/schema/capacity.ts';
import type { Command } from '../../protocols/schema/command.ts';
import { type Answer, fail, succeed } from '../../protocols/schema/outcome.ts';
import { type Assignment, isTerminal, type Run, type RunSpec } from '../../protocols/schema/run.ts';
import type { NodeId } from '../consensus/types.ts';
import type { CapacityBoard } from '../membership/capacity-board.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import { createRun } from '../state/run-lifecycle.ts';
import type { Tables } from '../state/tables.ts';
import type { ApplyResult } from '../state/types.ts';
import type { Dispatcher } from './dispatcher.ts';
import {
  type DomainOffer,
  freeWaysOf,
  type Holder,
  holderOf,
  holdersOf,
  offersOf,
  type Pending,
  type Placement,
  planQueue,
  waitingOf,
} from './placement.ts';
import { type Propose, unavailable } from './propose.ts';
import { STALE_KEY } from './vault.ts';

/** A node is placed on only while its notices are younger than this. */
export const CAPACITY_FRESH_MS = 5_000;
/** A run that waited this long is no longer overtaken. */
const STARVATION_MS = 10_000;
/** The queue is looked at this often even if nothing seems to have changed: suspicions end by time. */
const PUMP_PERIOD_MS = 500;

/** After so long the ways of a cancelled run count as free, whatever its node says. */
const ENDING_MS = 10_000;

export interface SchedulerOptions {
  readonly queueLimit: number;
}

export interface SchedulerDependencies {
  readonly self: NodeId;
  readonly tables: Tables;
  readonly board: CapacityBoard;
  readonly dispatcher: Dispatcher;
  readonly propose: Propose;
  readonly term: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #deps: SchedulerDependencies;
  /** Proposed and not yet applied, by run id. */
  readonly #pending = new Map<string, Pending>();
  /** Cancelled runs whose programs may still be dying: their ways are free once their node says so. */
  readonly #ending = new Map<string, { readonly placement: Holder; readonly sinceMs: number }>();
  #stops: Cancel[] = [];
  #pumpDue = false;
  #running = false;

  constructor(options: SchedulerOptions, dependencies: SchedulerDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  start(): void {
    this.#running = true;
    this.#stops = [
      this.#deps.tables.onApplied((command, result) => this.#onApplied(command, result)),
      this.#deps.board.onHeard((notice) => this.#onHeard(notice)),
      this.#deps.clock.every(PUMP_PERIOD_MS, () => this.pump()),
    ];
    this.pump();
  }

  stop(): void {
    this.#running = false;
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** The LLC domains of the members that are heard, with what is free. */
  domains(): DomainOffer[] {
    const notices = this.#deps.board
      .fresh(CAPACITY_FRESH_MS)
      .filter((notice) => this.#deps.tables.member(notice.node));
    return offersOf(notices, this.#held());
  }

  freeWays(): number {
    return freeWaysOf(this.domains(), this.#deps.self);
  }

  queued(): Run[] {
    return waitingOf(this.#deps.tables.activeRuns(), this.#pending);
  }

  /** Commits a new run, placed or waiting. */
  async admit(spec: RunSpec): Promise<Answer<Run>> {
    const queued = this.queued();
    const waiting = [...this.#pending.values()].filter(({ assignment }) => assignment === null).length;
    const candidate = createRun(spec, null);
    const placement = this.#plan([...queued, candidate]).find((step) => step.run === candidate)?.placement;
    if (!placement && queued.length + waiting >= this.#options.queueLimit) {
      return fail({
        code: 'QUEUE_FULL',
        message: `the queue is full (${this.#options.queueLimit} runs wait for cache ways); try again later or add a node`,
        retryAfterSeconds: 5,
      });
    }
    const assignment = placement ? this.#assignment(candidate, placement) : null;
    const outcome = await this.#proposeFor({ spec, assignment }, { type: 'run-create', spec, assignment });
    if (!outcome.ok) return unavailable(outcome.error);
    if (!outcome.value.ok && outcome.value.code === 'STALE') return fail(STALE_KEY);
    const run = this.#deps.tables.run(outcome.value.runId ?? spec.id);
    if (!run) return fail({ code: 'NOT_FOUND', message: `there is no task ${spec.taskId}; upload it first` });
    return succeed(run);
  }

  /** Places what waits and fits. Cheap when nothing waits. */
  pump(): void {
    if (!this.#running) return;
    const queued = this.queued();
    if (queued.length === 0) return;
    for (const { run, placement } of this.#plan(queued)) {
      const assignment = this.#assignment(run, placement);
      const { spec } = run;
      void this.#proposeFor({ spec, assignment }, { type: 'run-assign', runId: spec.id, assignment });
    }
  }

  #plan(queued: readonly Run[]): ReturnType<typeof planQueue> {
    const domains = this.domains().filter((domain) => !this.#deps.dispatcher.isSuspect(domain.node));
    const proposed = new Map<NodeId, number>();
    for (const { assignment } of this.#pending.values()) {
      if (assignment) proposed.set(assignment.node, (proposed.get(assignment.node) ?? 0) + 1);
    }
    return planQueue(queued, domains, {
      nowMs: this.#deps.clock.nowMs(),
      starvationMs: STARVATION_MS,
      credit: (node) => this.#deps.dispatcher.credit(node) - (proposed.get(node) ?? 0),
    });
  }

  #held(): Holder[] {
    const ending = [...this.#ending.values()].map(({ placement }) => placement);
    return [...holdersOf(this.#deps.tables.activeRuns(), this.#pending), ...ending];
  }

  #assignment(run: Run, placement: Placement): Assignment {
    return {
      ...placement,
      term: this.#deps.term(),
      attempt: run.attempts + 1,
      atMs: this.#deps.clock.nowMs(),
    };
  }

  async #proposeFor(pending: Pending, command: Command): ReturnType<Propose> {
    const { id } = pending.spec;
    this.#pending.set(id, pending);
    try {
      return await this.#deps.propose(command);
    } finally {
      this.#pending.delete(id);
    }
  }

  #onApplied(command: Command, result: ApplyResult): void {
    if (!result.ok) return;
    if (command.type === 'run-create' || command.type === 'run-assign') {
      const runId = command.type === 'run-create' ? command.spec.id : command.runId;
      const run = this.#deps.tables.run(runId);
      if (run && run.assignment?.term === this.#deps.term()) void this.#deps.dispatcher.send(run);
      return;
    }
    if (!('runId' in command)) return;
    const run = this.#deps.tables.run(command.runId);
    if (command.type === 'run-cancel' && run?.assignment) {
      const placement = holderOf(run.spec, run.assignment);
      this.#ending.set(command.runId, { placement, sinceMs: this.#deps.clock.monotonicMs() });
      this.#deps.dispatcher.cancel(run.assignment.node, command.runId, run.assignment.attempt);
    }
    if (!run || isTerminal(run)) this.#deps.dispatcher.forget(command.runId);
    this.#pumpSoon();
  }

  #onHeard({ node, runs }: CapacityNotice): void {
    const now = this.#deps.clock.monotonicMs();
    for (const [runId, { placement, sinceMs }] of this.#ending) {
      const isDying = runs.some((run) => run.runId === runId) && now - sinceMs < ENDING_MS;
      if (placement.node === node && sinceMs < now && !isDying) this.#ending.delete(runId);
    }
    this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    this.#deps.clock.after(0, () => {
      this.#pumpDue = false;
      this.pump();
    });
  }
}

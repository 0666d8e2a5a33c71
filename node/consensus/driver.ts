/**
 * Consensus of one node, running: gives the core its disk, network and ticks.
 *
 * Life: idle -> running -> stopped, or running -> failed. Everything that happens to the core goes through
 * `#step`, synchronously; only the disk is awaited. All of that is one state, so it stands in one file.
 */

import { fail, type Outcome } from '../../protocols/schema/outcome.ts';
import type { Cancel, Clock, Logger, Random } from '../ports.ts';
import { decodeMessage, encodeMessage } from './codec.ts';
import { RaftCore } from './core.ts';
import { ConsensusError } from './errors.ts';
import type { LogStore } from './log-store.ts';
import type { Input, Persist, Proposed } from './messages.ts';
import { OBJECTIONS, type Objection, ObjectionBook, type PeerObjection } from './objections.ts';
import { type ConsensusOptions, planTicks, type TickPlan } from './options.ts';
import { CommandDesk, ProposalLedger, type ProposalOutcome } from './proposal-ledger.ts';
import { Replica } from './replica.ts';
import { emptyStatus, type StatusHead, sameHead, withdrawn } from './status-view.ts';
import { isPlausibleTerm, withPlausibleTerm } from './terms.ts';
import type {
  Committed,
  ConfigurationChange,
  Consensus,
  ConsensusStatus,
  Entry,
  NodeId,
  ProposalFailure,
  StateMachine,
} from './types.ts';

/** Carries frames to other members; may lose them. Never throws. */
export interface ConsensusLink {
  send(to: NodeId, frame: Uint8Array): void;
}

export interface ConsensusDependencies<Result> {
  /** Open; stays the caller's to close, after `stop`. */
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly link: ConsensusLink;
  /** Empty at `start`; the committed log is replayed into it. */
  readonly machine: StateMachine<Result>;
  readonly logger: Logger;
}

interface Running {
  readonly core: RaftCore;
  readonly replica: Replica;
}

export class ConsensusDriver<Result> implements Consensus<Result> {
  readonly #options: ConsensusOptions;
  readonly #deps: ConsensusDependencies<Result>;
  readonly #plan: TickPlan;
  readonly #commands = new CommandDesk<Result>();
  readonly #changes = new ProposalLedger<undefined>();
  readonly #listeners = new Set<(status: ConsensusStatus) => void>();
  #phase: 'idle' | 'running' | 'stopped' | 'failed' = 'idle';
  #running: Running | null = null;
  #write: Promise<void> = Promise.resolve();
  #stopTicks: Cancel | null = null;
  #shown: StatusHead | null = null;
  #applied = false;
  readonly #objections = new ObjectionBook();
  #introducers: readonly NodeId[] = [];

  constructor(options: ConsensusOptions, dependencies: ConsensusDependencies<Result>) {
    this.#options = options;
    this.#deps = dependencies;
    this.#plan = planTicks(options);
  }

  /** Loads the log and replays what is known to be committed. @throws LogStoreError, ConsensusError CORRUPT */
  async start(): Promise<void> {
    if (this.#phase !== 'idle') throw new ConsensusError('MISUSE', 'consensus was started before');
    const running = await this.#load();
    this.#phase = 'running';
    this.#run(running);
  }

  async stop(): Promise<void> {
    if (this.#phase === 'failed' || this.#phase === 'stopped') {
      await this.#write;
      return;
    }
    this.#phase = 'stopped';
    await this.#halt({ code: 'STOPPED' });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** @throws ConsensusError TOO_LARGE */
  async propose(data: Uint8Array): Promise<ProposalOutcome<Result>> {
    if (data.length > this.#plan.maxEntryBytes) {
      throw new ConsensusError(
        'TOO_LARGE',
        `a command has ${data.length} bytes; ${this.#plan.maxEntryBytes} may be`,
      );
    }
    const refusal = this.#refusal();
    if (refusal !== null) return fail(refusal);
    return new Promise((settle) => {
      // Proposals of one turn of the event loop share their append, write and round trip.
      if (this.#commands.enqueue(data, settle)) queueMicrotask(() => this.#flush());
    });
  }

  async changeConfiguration(
    change: ConfigurationChange,
  ): Promise<Outcome<Committed<undefined>, ProposalFailure>> {
    const refusal = this.#refusal();
    if (refusal !== null) return fail(refusal);
    return new Promise((settle) => {
      this.#step({ type: 'propose-change', change }, (proposed) => {
        if (proposed.refusal !== null) settle(fail(proposed.refusal));
        else this.#changes.expect(proposed.firstIndex, proposed.term, settle);
      });
    });
  }

  status(): ConsensusStatus {
    if (this.#running === null) return emptyStatus(this.#options.id);
    const status = this.#running.core.status();
    return this.#phase === 'running' ? status : withdrawn(status);
  }

  objections(): readonly PeerObjection[] {
    return this.#objections.list();
  }

  introduce(by: readonly NodeId[]): void {
    this.#introducers = by;
    this.#step({ type: 'introduce', by });
  }

  onChange(listener: (status: ConsensusStatus) => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws ConsensusError NOT_EMPTY, LogStoreError */
  async bootstrap(): Promise<void> {
    const { core } = this.#assertRunning();
    if (core.log.lastIndex > 0) {
      throw new ConsensusError('NOT_EMPTY', 'only an empty log can be made the log of a new cluster');
    }
    const { id } = this.#options;
    const term = core.head().term + 1;
    await this.#rewrite(() =>
      this.#deps.store.write({
        hardState: { term, votedFor: id, commitIndex: 1 },
        entries: [{ kind: 'configuration', term, index: 1, configuration: { voters: [id], learners: [] } }],
      }),
    );
  }

  /** @throws LogStoreError */
  async reset(): Promise<void> {
    this.#assertRunning();
    this.#introducers = [];
    await this.#rewrite(() => this.#deps.store.clear());
  }

  /** A frame from an authenticated member. */
  receive(from: NodeId, frame: Uint8Array): void {
    if (this.#running === null || this.#phase !== 'running') return;
    const message = decodeMessage(frame);
    if (!message.ok) {
      this.#object(from, 'malformed', message.error.message);
    } else if (!isPlausibleTerm(message.value.term, this.#deps.clock.nowMs())) {
      this.#object(from, 'absurd-term', `term ${message.value.term}`);
    } else {
      this.#step({ type: 'message', from, message: message.value });
    }
  }

  #object(peer: NodeId, objection: Objection, detail?: string): void {
    const count = this.#objections.note(peer, objection, this.#deps.clock.monotonicMs());
    if (count === null) return;
    const { severity, says } = OBJECTIONS[objection];
    this.#deps.logger[severity]({ peer, objection, says, detail, count }, 'consensus frame dropped');
  }

  /** The connection to a member broke. A hint: it speeds up the election when that was the leader. */
  peerLost(id: NodeId): void {
    this.#step({ type: 'peer-unreachable', peer: id });
  }

  #assertRunning(): Running {
    if (this.#running === null || this.#phase !== 'running') {
      throw new ConsensusError('MISUSE', `consensus is ${this.#phase}`);
    }
    return this.#running;
  }

  #refusal(): ProposalFailure | null {
    if (this.#phase !== 'running' || this.#running === null) return { code: 'STOPPED' };
    const { role, leader } = this.#running.core.head();
    return role === 'leader' ? null : { code: 'NOT_LEADER', leader };
  }

  async #load(): Promise<Running> {
    const { store, random, link, machine } = this.#deps;
    const core = new RaftCore(this.#plan.core, withPlausibleTerm(await store.load()), random);
    const replica = new Replica(core, {
      write: (persist) => this.#beginWrite(replica, persist),
      send: (to, message) => link.send(to, encodeMessage(message)),
      apply: (entry) => this.#apply(entry),
      refused: ({ peer, objection }) => this.#object(peer, objection),
    });
    machine.reset();
    return { core, replica };
  }

  #run(running: Running): void {
    this.#running = running;
    running.replica.begin();
    if (this.#introducers.length > 0) running.replica.step({ type: 'introduce', by: this.#introducers });
    // A late tick counts once: after a pause of the whole process nothing is known of how long the others
    // were silent, and what they said meanwhile is read before the next tick.
    this.#stopTicks = this.#deps.clock.every(this.#plan.tickMs, () => this.#step({ type: 'tick' }));
    this.#notify();
  }

  /** Stops stepping and waits for the write in flight. What is held back or merged is lost, as in a crash. */
  async #halt(failure: ProposalFailure): Promise<void> {
    const running = this.#running;
    this.#running = null;
    this.#stopTicks?.();
    this.#failProposals(failure);
    await this.#write;
    // Stopped: still to be looked at.
    if (this.#phase !== 'running') this.#running = running;
  }

  /** Changes what is on disk beneath the core, and starts again from there. */
  async #rewrite(change: () => Promise<void>): Promise<void> {
    await this.#halt({ code: 'UNKNOWN' });
    try {
      await change();
      const running = await this.#load();
      if (this.#phase === 'running') this.#run(running);
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #flush(): void {
    this.#commands.flush((commands, answered) => this.#step({ type: 'propose', commands }, answered));
  }

  #step(input: Input, onProposed?: (proposed: Proposed) => void): void {
    this.#guarded((replica) => {
      const proposed = replica.step(input);
      if (proposed !== null) onProposed?.(proposed);
    });
  }

  #beginWrite(replica: Replica, persist: Persist): void {
    this.#write = this.#deps.store.write(persist).then(
      () => {
        if (this.#running?.replica === replica) this.#guarded(() => replica.written());
      },
      (error) => this.#fail(error),
    );
  }

  #guarded(work: (replica: Replica) => void): void {
    const running = this.#running;
    if (running === null || this.#phase !== 'running') return;
    const wasLeader = running.core.head().role === 'leader';
    try {
      work(running.replica);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (wasLeader && running.core.head().role !== 'leader') this.#failProposals({ code: 'UNKNOWN' });
    this.#notify();
  }

  #apply(entry: Entry): void {
    this.#applied = true;
    const { index, term } = entry;
    if (entry.kind === 'command') {
      this.#commands.applied(index, term, this.#deps.machine.apply(entry.data, index));
    }
    this.#changes.applied(index, term, undefined);
  }

  /** Nothing is acknowledged any more: what is in memory may differ from what is on disk. */
  #fail(cause: unknown): void {
    if (this.#phase !== 'running') return;
    this.#phase = 'failed';
    this.#stopTicks?.();
    this.#failProposals({ code: 'STOPPED' });
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.#deps.logger.error({ err: error }, 'consensus failed');
    this.#notify();
    this.#options.onFatal?.(error);
  }

  #failProposals(failure: ProposalFailure): void {
    this.#commands.failAll(failure);
    this.#changes.failAll(failure);
  }

  #notify(): void {
    const head = this.#running?.core.head() ?? emptyStatus(this.#options.id);
    if (this.#phase === 'running' && !this.#applied && this.#shown !== null && sameHead(this.#shown, head))
      return;
    this.#applied = false;
    this.#shown = head;
    const status = this.status();
    for (const listener of [...this.#listeners]) listener(status);
  }
}

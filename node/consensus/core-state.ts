/**
 * Everything that the core knows, and the few primitive changes of it that every rule is built from. The
 * rules stand beside it: `roles.ts`, `elections.ts`, `replication.ts`, `following.ts`, `proposals.ts`.
 */
import type { Vouched } from './admission.ts';
import { ConfigurationHistory } from './configuration.ts';
import { Durability } from './durability.ts';
import { ConsensusError } from './errors.ts';
import { entryBytes, RaftLog } from './log.ts';
import type { Effects, Message, MessageBody, Outgoing, Persist, Proposed } from './messages.ts';
import type { Objection, Refused } from './objections.ts';
import type { Progress } from './progress.ts';
import type { Entry, HardState, NodeId } from './types.ts';

export interface CoreOptions {
  readonly id: NodeId;
  /** Between two heartbeats of a leader. */
  readonly heartbeatTicks: number;
  /** Shortest election timeout; the longest is one less than twice that. Also the leader's lease. */
  readonly electionTicks: number;
  /** A follower whose connection to the leader was lost campaigns within this many ticks. */
  readonly hurryTicks: number;
  /** Entries of one append together; a single larger entry still goes. */
  readonly maxAppendBytes: number;
  /** Appends on their way to one follower. */
  readonly windowAppends: number;
  /** Proposed by this leader and not committed yet; beyond it proposals are refused as BUSY. */
  readonly maxUncommittedBytes: number;
}

/** What was on disk when the node started. */
export interface CoreSeed {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

/** The only thing that the core needs of `Random`. */
export interface Dice {
  /** Uniform in [0, 1). */
  next(): number;
}

export type CoreRole = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

export class CoreState {
  readonly options: CoreOptions;
  readonly dice: Dice;
  readonly log: RaftLog;
  readonly configurations: ConfigurationHistory;
  readonly durability: Durability;

  term: number;
  votedFor: NodeId | null;
  commitIndex: number;
  /** Handed out as `committed`. */
  appliedIndex = 0;

  role: CoreRole = 'follower';
  leader: NodeId | null = null;
  /** Ticks since the start. */
  now = 0;
  /** Ticks since the election timer was last set. */
  elapsed = 0;
  /** When `elapsed` reaches it, a voter campaigns. */
  timeout = 0;
  /** Campaigns since the leader's connection was seen to break; null: no such sign, timeouts are full. */
  hurry: number | null = null;

  /** Election timeouts since a leader was last heard. */
  timeouts = 0;
  /** What trusted nodes said of configurations that are later than this node's, by who said it (`reviewVouched`). */
  readonly vouched = new Map<NodeId, Vouched>();
  /** All that they name; made anew with each change. */
  vouchedVoters: readonly NodeId[] = [];
  introducers: readonly NodeId[] = [];

  /** Candidates: answers so far. */
  votes = new Map<NodeId, boolean>();
  /** Candidates: their own vote counts once the disk is this far. */
  ownVoteAfter: number | null = null;

  /** Leaders: by every other member. */
  progress = new Map<NodeId, Progress>();
  heartbeatElapsed = 0;
  uncommittedBytes = 0;

  #messages: { readonly to: NodeId; readonly message: Message }[] = [];
  #unsavedFrom: number | null = null;
  #hardStateChanged = false;
  #proposed: Proposed | null = null;
  #refused: Refused | null = null;

  constructor(options: CoreOptions, seed: CoreSeed, dice: Dice) {
    this.options = options;
    this.dice = dice;
    this.log = new RaftLog(seed.entries);
    this.configurations = new ConfigurationHistory(seed.entries);
    this.durability = new Durability(this.log.lastIndex);
    this.term = seed.hardState.term;
    this.votedFor = seed.hardState.votedFor;
    this.commitIndex = seed.hardState.commitIndex;
    if (this.commitIndex > this.log.lastIndex || this.log.lastTerm > this.term) {
      throw new ConsensusError('CORRUPT', 'the hard state and the log on disk contradict each other');
    }
  }

  get id(): NodeId {
    return this.options.id;
  }

  get configuration() {
    return this.configurations.current;
  }

  send(to: NodeId, body: MessageBody, term = this.term): void {
    this.#messages.push({ to, message: { ...body, term } });
  }

  /** A later term begins, in which nobody has been voted for. */
  enterTerm(term: number): void {
    this.term = term;
    this.votedFor = null;
    this.#hardStateChanged = true;
  }

  voteFor(id: NodeId): void {
    this.votedFor = id;
    this.#hardStateChanged = true;
  }

  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    this.log.append(entries);
    this.configurations.append(entries);
    this.#unsavedFrom = Math.min(this.#unsavedFrom ?? first.index, first.index);
  }

  truncate(index: number): void {
    if (index <= this.commitIndex) {
      throw new ConsensusError('CORRUPT', `entry ${index} is committed and was to be deleted`);
    }
    this.log.truncate(index);
    this.configurations.truncate(index);
    this.durability.truncated(index);
  }

  commitTo(index: number): void {
    if (index <= this.commitIndex) return;
    if (index > this.log.lastIndex) {
      throw new ConsensusError(
        'CORRUPT',
        `entry ${index} is committed but the log ends at ${this.log.lastIndex}`,
      );
    }
    this.commitIndex = index;
  }

  answerProposal(proposed: Proposed): void {
    this.#proposed = proposed;
  }

  /** The message that is being stepped counts for nothing. */
  object(peer: NodeId, objection: Objection): void {
    this.#refused = { peer, objection };
  }

  /** What the last input came to; called once after each. */
  takeEffects(): Effects {
    const persist = this.#takePersist();
    const barrier = this.durability.barrier;
    const messages: Outgoing[] = [];
    for (const { to, message } of this.#messages) {
      messages.push({ to, message, after: makesPromise(message) ? barrier : 0 });
    }
    const committed = this.log.range(this.appliedIndex + 1, this.commitIndex);
    this.appliedIndex = this.commitIndex;
    for (const entry of committed) {
      this.uncommittedBytes = Math.max(0, this.uncommittedBytes - entryBytes(entry));
    }
    const proposed = this.#proposed;
    this.#messages = [];
    this.#proposed = null;
    const refused = this.#refused;
    this.#refused = null;
    return { persist, messages, committed, proposed, refused };
  }

  #takePersist(): Persist | null {
    if (!this.#hardStateChanged && this.#unsavedFrom === null) return null;
    const { term, votedFor, commitIndex, log } = this;
    const entries = this.#unsavedFrom === null ? [] : log.range(this.#unsavedFrom, log.lastIndex);
    const sequence = this.durability.issue(entries.at(-1)?.index ?? 0, this.now);
    this.#hardStateChanged = false;
    this.#unsavedFrom = null;
    return { sequence, hardState: { term, votedFor, commitIndex }, entries };
  }
}

/** Whether the message promises something that has to survive a crash of its sender. */
function makesPromise(message: Message): boolean {
  switch (message.type) {
    case 'vote-request':
      return !message.pre;
    case 'vote-response':
      return !message.pre && message.granted;
    case 'append-accepted':
      return true;
    default:
      return false;
  }
}

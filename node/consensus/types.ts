/**
 * Words of the consensus room.
 *
 * node        one daemon, named by its libp2p peer id
 * voter       counts for elections and commitment
 * learner     is sent the log but counts for nothing; a member that isn't (or isn't yet) a voter
 * term        a period with at most one leader (Raft, section 5.1)
 * committed   on disk at a majority of voters, and so never lost
 *
 * The core (`core.ts`) is pure: inputs in, effects out. `driver.ts` gives it disk, network and ticks.
 */

import type { Outcome } from '../../protocols/schema/outcome.ts';
import type { Cancel } from '../ports.ts';
import type { PeerObjection } from './objections.ts';

/** A libp2p peer id in its text form. */
export type NodeId = string;

/** Who takes part. Both lists are sorted and have no id in common. */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

/** One step of membership: a single server at a time (Ongaro's thesis, section 4.1). */
export type ConfigurationChange =
  | { readonly type: 'add-learner'; readonly node: NodeId }
  | { readonly type: 'promote'; readonly node: NodeId }
  | { readonly type: 'demote'; readonly node: NodeId }
  | { readonly type: 'remove'; readonly node: NodeId };

interface EntryHead {
  readonly term: number;
  /** From 1, without gaps. */
  readonly index: number;
}
export type Entry =
  | (EntryHead & { readonly kind: 'noop' })
  | (EntryHead & { readonly kind: 'command'; readonly data: Uint8Array })
  | (EntryHead & { readonly kind: 'configuration'; readonly configuration: Configuration });

/** What must survive a crash beside the log (Raft, figure 2). `commitIndex` is a hint and may lag. */
export interface HardState {
  readonly term: number;
  readonly votedFor: NodeId | null;
  readonly commitIndex: number;
}

export type Role = 'follower' | 'candidate' | 'leader';

/** What a leader knows of one other node. */
export interface PeerProgress {
  /** Acknowledged by it in this term; 0 before it did. */
  readonly matchIndex: number;
  readonly nextIndex: number;
  /** Whether it has answered this leader, and within the last election timeout. */
  readonly active: boolean;
}

export interface ConsensusStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: number;
  /** The leader of this term, where it is known and (as far as this node can tell) alive. */
  readonly leader: NodeId | null;
  /** True on a leader once an entry of its own term is committed and applied: only then may it serve. */
  readonly ready: boolean;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  readonly configuration: Configuration;
  /** Voters, by the word of others, of a configuration that this node's log hasn't got yet (`admission.ts`). */
  readonly vouched: readonly NodeId[];
  /** On the leader: by node; elsewhere empty. */
  readonly progress: ReadonlyMap<NodeId, PeerProgress>;
}

/** What the log is applied to. `apply` is pure: the same entries give the same state and results on every node. */
export interface StateMachine<Result> {
  apply(data: Uint8Array, index: number): Result;
  /** Back to the empty state, as before the first entry: this node has left its cluster. */
  reset(): void;
}

/** Why a proposal was not (or perhaps not) committed. After `UNKNOWN` it may still be: ask the tables. */
export type ProposalFailure =
  | { readonly code: 'NOT_LEADER'; readonly leader: NodeId | null }
  | { readonly code: 'UNKNOWN' }
  | { readonly code: 'BUSY' }
  | { readonly code: 'INVALID_CHANGE'; readonly reason: string }
  | { readonly code: 'STOPPED' };

/** What a proposal came to, once it is committed and applied on this node. */
export interface Committed<Result> {
  readonly index: number;
  readonly term: number;
  readonly result: Result;
}

/** The running consensus of one node: what the rest of the daemon sees of this room. */
export interface Consensus<Result> extends AsyncDisposable {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when `data` is committed at a majority and applied here. */
  propose(data: Uint8Array): Promise<Outcome<Committed<Result>, ProposalFailure>>;
  /** One membership step; refused while another is under way or before the first commit of this term. */
  changeConfiguration(change: ConfigurationChange): Promise<Outcome<Committed<undefined>, ProposalFailure>>;
  status(): ConsensusStatus;
  /** What other members sent that no honest one sends, since the start. */
  objections(): readonly PeerObjection[];
  /** Called after role, term, leader, readiness or configuration changed, and after entries were applied. */
  onChange(listener: (status: ConsensusStatus) => void): Cancel;
  /** Makes this node a cluster of one: writes the first configuration. Only on an empty log. */
  bootstrap(): Promise<void>;
  /** `by` let this node in: until it has a configuration it believes them who the voters are. */
  introduce(by: readonly NodeId[]): void;
  /**
   * Forgets log, term and vote, durably, and waits to be added by a leader as a learner: this node has left its
   * cluster.
   */
  reset(): Promise<void>;
}

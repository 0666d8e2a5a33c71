/** What goes into the core and what comes out of it. */
import type { Refused } from './objections.ts';
import type { ConfigurationChange, Entry, HardState, NodeId } from './types.ts';

/**
 * What nodes say to each other. `term` is the sender's current term, except in a pre-vote request and its
 * grant, where it is the term that the candidate would have.
 */
export type Message = { readonly term: number } & MessageBody;

export type MessageBody =
  | {
      readonly type: 'vote-request';
      /** Asks only whether a vote would be given (Ongaro's thesis, section 9.6). */
      readonly pre: boolean;
      readonly lastIndex: number;
      readonly lastTerm: number;
    }
  | { readonly type: 'vote-response'; readonly pre: boolean; readonly granted: boolean }
  | {
      readonly type: 'append';
      readonly previousIndex: number;
      readonly previousTerm: number;
      readonly commitIndex: number;
      readonly entries: readonly Entry[];
    }
  /** The logs agree up to `matchIndex`, and the sender has it on disk. */
  | { readonly type: 'append-accepted'; readonly matchIndex: number }
  | {
      readonly type: 'append-rejected';
      /** `previousIndex` of the append that didn't fit. */
      readonly previousIndex: number;
      /** The last index whose term isn't above the append's previous term, and its term. */
      readonly hintIndex: number;
      readonly hintTerm: number;
    }
  /** `commitIndex` is clipped to what the receiver is known to hold. */
  | { readonly type: 'heartbeat'; readonly commitIndex: number }
  | { readonly type: 'heartbeat-response' }
  /** Asks for the voters of a configuration later than the sender's newest, where that one stands (`admission.ts`). */
  | {
      readonly type: 'voters-request';
      readonly configurationIndex: number;
      readonly configurationTerm: number;
    }
  | {
      readonly type: 'voters-response';
      readonly configurationIndex: number;
      readonly configurationTerm: number;
      readonly voters: readonly NodeId[];
    };

export type MessageOf<Type extends Message['type']> = Extract<Message, { readonly type: Type }>;

export type Input =
  | { readonly type: 'tick' }
  | { readonly type: 'message'; readonly from: NodeId; readonly message: Message }
  /** Commands in order; as many as fit are taken. */
  | { readonly type: 'propose'; readonly commands: readonly Uint8Array[] }
  | { readonly type: 'propose-change'; readonly change: ConfigurationChange }
  /** Every persist effect up to and including this sequence is on disk. */
  | { readonly type: 'persisted'; readonly sequence: number }
  /** The transport lost its connection to this peer. A hint: it may be wrong. */
  | { readonly type: 'peer-unreachable'; readonly peer: NodeId }
  /** These let this node in: as long as its log is empty it believes them whom the voters are. */
  | { readonly type: 'introduce'; readonly by: readonly NodeId[] };

/** One atomic, synced write. */
export interface Persist {
  /** Grows by one with each persist effect. */
  readonly sequence: number;
  readonly hardState: HardState;
  /**
   * Without gaps. When not empty, everything on disk from the first one's index on is deleted first, in the
   * same atomic write: this is how a conflicting suffix is truncated.
   */
  readonly entries: readonly Entry[];
}

export interface Outgoing {
  readonly to: NodeId;
  readonly message: Message;
  /** Not to be sent before the persist effects up to this sequence are on disk; 0: may leave at once. */
  readonly after: number;
}

/** Why a proposal was refused outright: nothing was appended for it. */
export type Refusal =
  | { readonly code: 'NOT_LEADER'; readonly leader: NodeId | null }
  | { readonly code: 'BUSY' }
  | { readonly code: 'INVALID_CHANGE'; readonly reason: string };

/** The first `accepted` of the commands (or the one change) were appended from `firstIndex` on in `term`. */
export interface Proposed {
  readonly accepted: number;
  readonly firstIndex: number;
  readonly term: number;
  /** Of those that weren't accepted; null when all were. */
  readonly refusal: Refusal | null;
}

/**
 * What one input asks of the world.
 *
 * ORDER CONTRACT
 * 1. Persist effects are written in the order of their sequence, each atomically. Several may be merged into
 *    one atomic write (`mergePersists`); inputs may be stepped while a write is under way.
 * 2. When a write is synced, and not before, `persisted` is stepped with the highest sequence in it.
 * 3. A message leaves only after the persist effects up to its `after` are synced. Votes, acknowledgements of
 *    appends and vote requests (which are the candidate's vote for itself) carry such a sequence; a leader's
 *    appends and heartbeats don't, so that followers write in parallel with the leader (thesis, 10.2.1).
 *    The leader's own log counts for commitment only after `persisted`.
 * 4. `committed` is applied in order, and may be at once, whatever is still being written: these entries are
 *    on disk at a majority.
 * Messages may be dropped, delayed, duplicated and reordered; writes may not.
 */
export interface Effects {
  readonly persist: Persist | null;
  readonly messages: readonly Outgoing[];
  readonly committed: readonly Entry[];
  /** The answer to a propose or propose-change input; null for all others. */
  readonly proposed: Proposed | null;
  /** Why the message counted for nothing, where its sender broke a rule; null for all other inputs. */
  readonly refused: Refused | null;
}

/** One write that leaves the disk as `first` and then `second` would. */
export function mergePersists(first: Persist | null, second: Persist): Persist {
  if (first === null) return second;
  const start = second.entries[0]?.index ?? Number.POSITIVE_INFINITY;
  const kept = first.entries.filter((entry) => entry.index < start);
  return { sequence: second.sequence, hardState: second.hardState, entries: kept.concat(second.entries) };
}

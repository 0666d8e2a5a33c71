/**
 * The Raft core as a pure state machine: inputs in, effects out. No clock, disk, network or randomness of
 * its own; `Effects` states the order in which the world has to carry them out.
 *
 * Raft as in the extended paper, with pre-vote, check-quorum and single-server membership changes as in
 * Ongaro's thesis, and asynchronous writes: inputs may be stepped while the disk is busy.
 */
import {
  askForVoters,
  objectionTo,
  onVotersRequest,
  onVotersResponse,
  reviewVouched,
  wasAsked,
} from './admission.ts';
import { isMember } from './configuration.ts';
import { type CoreOptions, type CoreSeed, CoreState, type Dice } from './core-state.ts';
import {
  countOwnVote,
  onLeaderUnreachable,
  onVoteRequest,
  onVoteResponse,
  tickElection,
  upholdsLeader,
} from './elections.ts';
import { onAppend, onHeartbeat } from './following.ts';
import type { RaftLog } from './log.ts';
import type { Effects, Input, Message } from './messages.ts';
import { propose, proposeChange } from './proposals.ts';
import {
  advanceCommit,
  broadcastHeartbeats,
  onAppendAccepted,
  onAppendRejected,
  onHeartbeatResponse,
} from './replication.ts';
import { becomeFollower, hasActiveQuorum, isActive, isStalled, resetElectionTimer } from './roles.ts';
import type { StatusHead } from './status-view.ts';
import type { ConsensusStatus, NodeId, PeerProgress } from './types.ts';

export class RaftCore {
  readonly #state: CoreState;

  /** @throws ConsensusError CORRUPT when `seed` contradicts itself */
  constructor(options: CoreOptions, seed: CoreSeed, dice: Dice) {
    this.#state = new CoreState(options, seed, dice);
    resetElectionTimer(this.#state);
  }

  /** To be called once, before any input: hands out what is known to be committed already. */
  begin(): Effects {
    return this.#state.takeEffects();
  }

  /** Never throws for what a message says: what can't be is an `objection`. */
  step(input: Input): Effects {
    const s = this.#state;
    switch (input.type) {
      case 'tick':
        tick(s);
        break;
      case 'message':
        onMessage(s, input.from, input.message);
        break;
      case 'propose':
        propose(s, input.commands);
        break;
      case 'propose-change':
        proposeChange(s, input.change);
        break;
      case 'persisted':
        s.durability.confirm(input.sequence);
        countOwnVote(s, input.sequence);
        if (s.role === 'leader') advanceCommit(s);
        break;
      case 'peer-unreachable':
        onUnreachable(s, input.peer);
        break;
      case 'introduce':
        s.introducers = input.by;
        if (!isMember(s.configuration, s.id)) askForVoters(s);
        break;
    }
    reviewVouched(s);
    return s.takeEffects();
  }

  /** The log, to look at. */
  get log(): Pick<RaftLog, 'firstIndex' | 'lastIndex' | 'lastTerm' | 'termAt' | 'entryAt'> {
    return this.#state.log;
  }

  /** The part of `status` that is cheap enough to ask for after every step. */
  head(): StatusHead {
    const s = this.#state;
    return {
      role: s.role === 'pre-candidate' ? 'candidate' : s.role,
      term: s.term,
      leader: s.leader,
      ready: s.role === 'leader' && s.log.termAt(s.appliedIndex) === s.term,
      configuration: s.configuration,
      vouched: s.vouchedVoters,
    };
  }

  status(): ConsensusStatus {
    const s = this.#state;
    const progress = new Map<NodeId, PeerProgress>();
    for (const [id, peer] of s.progress) {
      const active = peer.hasAnswered && isActive(s, peer);
      progress.set(id, { matchIndex: peer.match, nextIndex: peer.next, active });
    }
    const { commitIndex, appliedIndex } = s;
    return { id: s.id, ...this.head(), commitIndex, appliedIndex, lastIndex: s.log.lastIndex, progress };
  }
}

function tick(s: CoreState): void {
  s.now++;
  if (s.role !== 'leader') {
    tickElection(s);
    return;
  }
  // A leader that nobody answers, or whose own disk hangs, is none: its heartbeats must end, too.
  if (isStalled(s) || !hasActiveQuorum(s)) {
    becomeFollower(s, s.term, null);
    return;
  }
  s.heartbeatElapsed++;
  if (s.heartbeatElapsed >= s.options.heartbeatTicks) broadcastHeartbeats(s);
}

function onUnreachable(s: CoreState, peer: NodeId): void {
  s.progress.get(peer)?.probe();
  if (s.role === 'follower' && s.leader === peer) onLeaderUnreachable(s);
}

const isResponse = (message: Message): boolean =>
  message.type === 'vote-response' ||
  message.type === 'append-accepted' ||
  message.type === 'append-rejected' ||
  message.type === 'heartbeat-response';

function onMessage(s: CoreState, from: NodeId, message: Message): void {
  if (message.type === 'voters-request') {
    onVotersRequest(s, from, message);
  } else if (message.type === 'voters-response') {
    onVotersResponse(s, from, message);
  } else if (isResponse(message) && !wasAsked(s, from)) {
    return;
  } else if (message.term < s.term) {
    answerEarlierTerm(s, from, message);
  } else {
    const objection = objectionTo(s, from, message);
    if (objection !== null) s.object(from, objection);
    else if (message.term === s.term || meetLaterTerm(s, from, message)) dispatch(s, from, message);
  }
}

/** @returns whether the message is to be handled */
function meetLaterTerm(s: CoreState, from: NodeId, message: Message): boolean {
  switch (message.type) {
    case 'vote-request':
      if (upholdsLeader(s, from)) return false;
      if (!message.pre) becomeFollower(s, message.term, null);
      return true;
    case 'vote-response':
      // A granted pre-vote bears the term that was asked for: nobody is there yet.
      if (!(message.pre && message.granted)) becomeFollower(s, message.term, null);
      return true;
    case 'append':
    case 'heartbeat':
      becomeFollower(s, message.term, from);
      return true;
    default:
      becomeFollower(s, message.term, null);
      return true;
  }
}

/**
 * The sender lags behind. Silence would be a trap: with pre-vote and check-quorum it might never hear of the
 * later term, nor this node of anyone else (etcd-io/etcd#8501), so requests are answered with that term.
 */
function answerEarlierTerm(s: CoreState, from: NodeId, message: Message): void {
  if (message.type === 'vote-request') {
    s.send(from, { type: 'vote-response', pre: message.pre, granted: false });
  } else if (message.type === 'append' || message.type === 'heartbeat') {
    s.send(from, { type: 'append-rejected', previousIndex: 0, hintIndex: 0, hintTerm: 0 });
  }
}

function dispatch(s: CoreState, from: NodeId, message: Message): void {
  switch (message.type) {
    case 'vote-request':
      onVoteRequest(s, from, message);
      break;
    case 'vote-response':
      onVoteResponse(s, from, message);
      break;
    case 'append':
      onAppend(s, from, message);
      break;
    case 'heartbeat':
      onHeartbeat(s, from, message);
      break;
    case 'append-accepted':
      onAppendAccepted(s, from, message);
      break;
    case 'append-rejected':
      onAppendRejected(s, from, message);
      break;
    case 'heartbeat-response':
      onHeartbeatResponse(s, from);
      break;
  }
}

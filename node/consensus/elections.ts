/** Pre-vote and election (Raft, section 5.2 and 5.4.1; Ongaro's thesis, sections 4.2.3 and 9.6). */
import { askForVoters } from './admission.ts';
import { isVoter, quorum } from './configuration.ts';
import type { CoreState } from './core-state.ts';
import type { MessageOf } from './messages.ts';
import { broadcastAppends } from './replication.ts';
import { becomeFollower, becomeLeader, isStalled, resetElectionTimer } from './roles.ts';
import type { NodeId } from './types.ts';

/** One tick of a node that doesn't lead. */
export function tickElection(s: CoreState): void {
  s.elapsed++;
  if (s.leader !== null && s.elapsed >= s.options.electionTicks) s.leader = null;
  if (!mayCampaign(s)) {
    if (s.elapsed < s.timeout) return;
    s.timeouts++;
    resetElectionTimer(s);
    askForVoters(s);
    return;
  }
  const { voters } = s.configuration;
  const alone = voters.length === 1 && voters[0] === s.id && s.role === 'follower';
  if (s.elapsed < s.timeout && !alone) return;
  // A node whose disk hangs could not lead.
  if (isStalled(s)) return;
  // Not the first time: most elections need it not.
  if (s.timeouts++ > 0) askForVoters(s);
  startPreVote(s);
}

/**
 * A node that its newest configuration takes the vote from still campaigns until that is committed: it may be
 * the only one that holds the entry, and so the only one that the others may elect (thesis, section 4.2.2,
 * figure 4.6). Its own vote doesn't count then.
 */
function mayCampaign(s: CoreState): boolean {
  if (isVoter(s.configuration, s.id)) return true;
  return s.configurations.index > s.commitIndex && isVoter(s.configurations.previous, s.id);
}

/** Asks whether a majority would vote for this node, without disturbing anyone's term. */
function startPreVote(s: CoreState): void {
  s.role = 'pre-candidate';
  s.leader = null;
  s.ownVoteAfter = null;
  if (s.hurry !== null) s.hurry++;
  resetElectionTimer(s);
  s.votes = new Map([[s.id, true]]);
  requestVotes(s, true, s.term + 1);
  countVotes(s);
}

function startElection(s: CoreState): void {
  s.role = 'candidate';
  s.enterTerm(s.term + 1);
  s.voteFor(s.id);
  resetElectionTimer(s);
  s.votes = new Map();
  requestVotes(s, false, s.term);
  // Counted by `onPersisted`: a candidate's own vote is a promise like any other.
  s.ownVoteAfter = s.durability.next;
}

function requestVotes(s: CoreState, pre: boolean, term: number): void {
  const { lastIndex, lastTerm } = s.log;
  for (const id of s.configuration.voters) {
    if (id !== s.id) s.send(id, { type: 'vote-request', pre, lastIndex, lastTerm }, term);
  }
}

/** The candidate's own vote is on disk. */
export function countOwnVote(s: CoreState, sequence: number): void {
  if (s.role !== 'candidate' || s.ownVoteAfter === null || sequence < s.ownVoteAfter) return;
  s.ownVoteAfter = null;
  s.votes.set(s.id, true);
  countVotes(s);
}

function countVotes(s: CoreState): void {
  let granted = 0;
  let refused = 0;
  for (const id of s.configuration.voters) {
    const vote = s.votes.get(id);
    if (vote === true) granted++;
    if (vote === false) refused++;
  }
  const majority = quorum(s.configuration);
  if (granted >= majority) {
    if (s.role === 'pre-candidate') {
      startElection(s);
    } else {
      becomeLeader(s);
      broadcastAppends(s, true);
    }
  } else if (refused > s.configuration.voters.length - majority) {
    becomeFollower(s, s.term, null);
  }
}

/**
 * Whether this node has heard from a living leader other than `candidate` so lately that it lets nobody
 * disturb it (thesis, section 4.2.3). A leader that asks for votes itself has evidently stepped down.
 */
export function upholdsLeader(s: CoreState, candidate: NodeId): boolean {
  if (s.role === 'leader') return true;
  return s.leader !== null && s.leader !== candidate && s.elapsed < s.options.electionTicks;
}

/** Its term is this node's, or in a pre-vote above it. */
export function onVoteRequest(s: CoreState, from: NodeId, message: MessageOf<'vote-request'>): void {
  const { pre, term, lastIndex, lastTerm } = message;
  const free = s.votedFor === from || (s.votedFor === null && s.leader === null);
  const granted = ((pre && term > s.term) || free) && s.log.isUpToDate(lastIndex, lastTerm);
  s.send(from, { type: 'vote-response', pre, granted }, granted ? term : s.term);
  // A pre-vote leaves no trace: neither a vote nor a fresh timer.
  if (pre || !granted) return;
  s.voteFor(from);
  s.hurry = null;
  resetElectionTimer(s);
}

export function onVoteResponse(s: CoreState, from: NodeId, message: MessageOf<'vote-response'>): void {
  if (s.role !== (message.pre ? 'pre-candidate' : 'candidate')) return;
  // A grant names the term that was asked for; one of an earlier campaign is void.
  if (message.granted && message.term !== (message.pre ? s.term + 1 : s.term)) return;
  if (!s.votes.has(from)) s.votes.set(from, message.granted);
  countVotes(s);
}

/** The transport lost `peer`, which this node follows: stop upholding it and campaign soon. */
export function onLeaderUnreachable(s: CoreState): void {
  s.leader = null;
  s.hurry = 0;
  const full = s.timeout - s.elapsed;
  resetElectionTimer(s);
  s.timeout = Math.min(s.timeout, Math.max(1, full));
}

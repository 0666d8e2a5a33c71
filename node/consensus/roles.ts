/** Changes of role and the election timer. */
import { isVoter, quorum } from './configuration.ts';
import type { CoreState } from './core-state.ts';
import { Progress } from './progress.ts';
import type { NodeId } from './types.ts';

/** Raft, section 5.2: randomised timeouts, so that split votes are rare and resolved quickly. */
export function resetElectionTimer(s: CoreState): void {
  const { electionTicks, hurryTicks } = s.options;
  s.elapsed = 0;
  if (s.hurry === null) {
    s.timeout = electionTicks + Math.floor(s.dice.next() * electionTicks);
  } else if (s.hurry === 0) {
    s.timeout = 1 + Math.floor(s.dice.next() * hurryTicks);
  } else {
    const base = Math.min(electionTicks, hurryTicks * 2 ** (s.hurry - 1));
    s.timeout = base + Math.floor(s.dice.next() * base);
  }
}

/** Follows `leader` (null: nobody known) in `term`, which isn't below the current one. */
export function becomeFollower(s: CoreState, term: number, leader: NodeId | null): void {
  if (term > s.term) s.enterTerm(term);
  s.leader = leader;
  const wasFollower = s.role === 'follower';
  if (!wasFollower) {
    s.role = 'follower';
    s.votes = new Map();
    s.ownVoteAfter = null;
    s.progress = new Map();
    s.uncommittedBytes = 0;
  }
  // A follower's timer runs on when it merely learns of a term: only a leader or a vote given resets it.
  if (!wasFollower || leader !== null) resetElectionTimer(s);
}

/** A word from the leader of this term (`admission.ts` says who may be that): keeps followers followers. */
export function hearLeader(s: CoreState, leader: NodeId): void {
  s.hurry = null;
  s.timeouts = 0;
  becomeFollower(s, s.term, leader);
}

export function becomeLeader(s: CoreState): void {
  s.role = 'leader';
  s.leader = s.id;
  s.hurry = null;
  s.timeouts = 0;
  s.votes = new Map();
  s.ownVoteAfter = null;
  s.heartbeatElapsed = 0;
  s.uncommittedBytes = 0;
  s.progress = new Map();
  trackMembers(s);
  // Raft, section 8: entries of earlier terms are committed only through one of this term.
  s.append([{ kind: 'noop', term: s.term, index: s.log.lastIndex + 1 }]);
}

/** Leaders: brings `progress` in line with the configuration. */
export function trackMembers(s: CoreState): void {
  const { voters, learners } = s.configuration;
  const others = [...voters, ...learners].filter((id) => id !== s.id);
  for (const id of s.progress.keys()) {
    if (!others.includes(id)) s.progress.delete(id);
  }
  for (const id of others) {
    if (s.progress.has(id)) continue;
    s.progress.set(id, new Progress(s.log.lastIndex + 1, s.now, s.options.windowAppends));
  }
}

export const isActive = (s: CoreState, progress: Progress): boolean =>
  s.now - progress.heardAt < s.options.electionTicks;

/** Leaders: whether a majority of voters was heard within the last election timeout (thesis, section 6.2). */
export function hasActiveQuorum(s: CoreState): boolean {
  let active = isVoter(s.configuration, s.id) ? 1 : 0;
  for (const [id, progress] of s.progress) {
    if (isVoter(s.configuration, id) && isActive(s, progress)) active++;
  }
  return active >= quorum(s.configuration);
}

/** Whether this node's own disk has been hanging for longer than an election timeout. */
export const isStalled = (s: CoreState): boolean =>
  s.durability.stalledTicks(s.now) > s.options.electionTicks;

/** The leader's side of log replication (Raft, section 5.3 and 5.4.2). */
import { isVoter, quorum } from './configuration.ts';
import type { CoreState } from './core-state.ts';
import type { MessageOf } from './messages.ts';
import type { Progress } from './progress.ts';
import { becomeFollower } from './roles.ts';
import type { NodeId } from './types.ts';

/** Sends what `to` lacks, as far as its window allows; with `evenEmpty` also when it lacks nothing. */
export function sendAppends(s: CoreState, to: NodeId, evenEmpty: boolean): void {
  const progress = s.progress.get(to);
  if (progress === undefined) return;
  let send = evenEmpty;
  while (!progress.paused && (send || progress.next <= s.log.lastIndex)) {
    sendOneAppend(s, to, progress);
    send = false;
    if (progress.state === 'probe') return;
  }
}

function sendOneAppend(s: CoreState, to: NodeId, progress: Progress): void {
  const previousIndex = progress.next - 1;
  const entries = s.log.batch(progress.next, s.options.maxAppendBytes);
  s.send(to, {
    type: 'append',
    previousIndex,
    previousTerm: s.log.termAt(previousIndex) ?? 0,
    commitIndex: s.commitIndex,
    entries,
  });
  progress.sent(previousIndex + entries.length, entries.length);
  progress.toldCommit = s.commitIndex;
}

export function broadcastAppends(s: CoreState, evenEmpty: boolean): void {
  for (const id of s.progress.keys()) sendAppends(s, id, evenEmpty);
}

export function broadcastHeartbeats(s: CoreState): void {
  s.heartbeatElapsed = 0;
  for (const [id, progress] of s.progress) {
    progress.awaitsHeartbeat = true;
    // Not above `match`: beyond it the follower's log may hold something else.
    s.send(id, { type: 'heartbeat', commitIndex: Math.min(progress.match, s.commitIndex) });
  }
}

/**
 * Raft, section 5.4.2: only entries of the own term are committed by counting replicas; those before them
 * are committed with them. A leader that isn't a voter (any more) doesn't count itself.
 */
export function advanceCommit(s: CoreState): void {
  const held = s.configuration.voters.map((id) =>
    id === s.id ? s.durability.index : (s.progress.get(id)?.match ?? 0),
  );
  held.sort((a, b) => b - a);
  const index = held[quorum(s.configuration) - 1] ?? 0;
  if (index <= s.commitIndex || s.log.termAt(index) !== s.term) return;
  s.commitTo(index);
  broadcastAppends(s, true);
  // Thesis, section 4.2.2: a leader that was removed steps down once that is committed.
  if (s.configurations.index <= s.commitIndex && !isVoter(s.configuration, s.id)) {
    becomeFollower(s, s.term, null);
  }
}

export function onAppendAccepted(s: CoreState, from: NodeId, message: MessageOf<'append-accepted'>): void {
  const progress = s.progress.get(from);
  if (s.role !== 'leader' || progress === undefined) return;
  // A follower can't hold more of this leader's log than there is.
  if (message.matchIndex > s.log.lastIndex) {
    s.object(from, 'acknowledges-too-much');
    return;
  }
  progress.heard(s.now);
  const wasProbing = progress.state === 'probe';
  const news = progress.accepted(message.matchIndex);
  if (news) advanceCommit(s);
  // Whoever couldn't be told yet of the last commits is told now, rather than by the next heartbeat.
  const uninformed = progress.toldCommit < s.commitIndex;
  if (s.role === 'leader' && (news || wasProbing || uninformed)) sendAppends(s, from, uninformed);
}

export function onAppendRejected(s: CoreState, from: NodeId, message: MessageOf<'append-rejected'>): void {
  const progress = s.progress.get(from);
  if (s.role !== 'leader' || progress === undefined) return;
  progress.heard(s.now);
  // Both sides skip whole terms: the follower's hint, then the leader's last entry of no later term.
  const agreed = s.log.lastNotAbove(message.hintIndex, message.hintTerm);
  if (progress.rejected(message.previousIndex, agreed.index)) sendAppends(s, from, true);
}

export function onHeartbeatResponse(s: CoreState, from: NodeId): void {
  const progress = s.progress.get(from);
  if (s.role !== 'leader' || progress === undefined) return;
  progress.heard(s.now);
  // One answer a heartbeat: each may have an append sent, which is larger by far.
  if (!progress.awaitsHeartbeat) return;
  progress.awaitsHeartbeat = false;
  progress.resume();
  // Appends or their answers may have been lost: an empty one finds out.
  if (progress.match < s.log.lastIndex || progress.state === 'probe') sendAppends(s, from, true);
}

/** The receiving side of appends and heartbeats (Raft, figure 2, AppendEntries RPC). */
import type { CoreState } from './core-state.ts';
import type { MessageOf } from './messages.ts';
import { hearLeader } from './roles.ts';
import type { NodeId } from './types.ts';

export function onAppend(s: CoreState, from: NodeId, message: MessageOf<'append'>): void {
  const { previousIndex, previousTerm, entries } = message;
  if (contradictsCommit(s, message)) {
    s.object(from, 'contradicts-commit');
    return;
  }
  hearLeader(s, from);
  if (previousIndex < s.commitIndex) {
    // Old news: everything up to the commit index is the leader's as well.
    s.send(from, { type: 'append-accepted', matchIndex: s.commitIndex });
    return;
  }
  if (s.log.termAt(previousIndex) !== previousTerm) {
    const hint = s.log.lastNotAbove(previousIndex, previousTerm);
    s.send(from, { type: 'append-rejected', previousIndex, hintIndex: hint.index, hintTerm: hint.term });
    return;
  }
  const missing = s.log.firstMissing(entries);
  if (missing !== null) {
    // Only a conflict deletes anything: a shorter, delayed append mustn't (figure 2, step 3).
    if (missing.index <= s.log.lastIndex) s.truncate(missing.index);
    s.append(entries.filter((entry) => entry.index >= missing.index));
  }
  const matchIndex = previousIndex + entries.length;
  s.commitTo(Math.min(message.commitIndex, matchIndex));
  s.send(from, { type: 'append-accepted', matchIndex });
}

/** A leader's log holds all that is committed (Raft, figure 3): one that doesn't is none, or this node was deceived. */
function contradictsCommit(s: CoreState, message: MessageOf<'append'>): boolean {
  const { previousIndex, previousTerm, entries } = message;
  if (previousIndex > s.commitIndex) return false;
  if (s.log.termAt(previousIndex) !== previousTerm) return true;
  const conflict = s.log.firstMissing(entries);
  return conflict !== null && conflict.index <= s.commitIndex;
}

export function onHeartbeat(s: CoreState, from: NodeId, message: MessageOf<'heartbeat'>): void {
  hearLeader(s, from);
  // Clipped by the leader to what we hold; an index beyond our log was meant for a log that we no longer have.
  if (message.commitIndex <= s.log.lastIndex) s.commitTo(message.commitIndex);
  s.send(from, { type: 'heartbeat-response' });
}

/** The receiving side of appends and heartbeats (Raft, figure 2, AppendEntries RPC). */
import type { CoreState } from './core-state.ts';
import type { MessageOf } from './messages.ts';
import { hearLeader } from './roles.ts';
import type { NodeId } from './types.ts';

export function onAppend(s: CoreState, from: NodeId, message: MessageOf<'append'>): void {
  hearLeader(s, from);
  const { previousIndex, previousTerm, entries } = message;
  if (!isSound(message)) return;
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

/** Entries follow one another and `previousIndex`, and none is of a term later than the leader's. */
function isSound({ previousIndex, previousTerm, entries, term }: MessageOf<'append'>): boolean {
  let before = previousTerm;
  return entries.every((entry, position) => {
    const sound = entry.index === previousIndex + 1 + position && entry.term >= before && entry.term <= term;
    before = entry.term;
    return sound;
  });
}

export function onHeartbeat(s: CoreState, from: NodeId, message: MessageOf<'heartbeat'>): void {
  hearLeader(s, from);
  // Clipped by the leader to what we hold; an index beyond our log was meant for a log that we no longer have.
  if (message.commitIndex <= s.log.lastIndex) s.commitTo(message.commitIndex);
  s.send(from, { type: 'heartbeat-response' });
}

/** What a leader accepts into its log. */
import { applyChange } from './configuration.ts';
import type { CoreState } from './core-state.ts';
import { entryBytes } from './log.ts';
import type { Refusal } from './messages.ts';
import { advanceCommit, broadcastAppends } from './replication.ts';
import { trackMembers } from './roles.ts';
import type { ConfigurationChange, Entry } from './types.ts';

function refuse(s: CoreState, refusal: Refusal): void {
  s.answerProposal({ accepted: 0, firstIndex: 0, term: s.term, refusal });
}

const notLeader = (s: CoreState): Refusal => ({ code: 'NOT_LEADER', leader: s.leader });

/** Takes as many of the commands, in order, as the limit on uncommitted bytes allows; one always fits. */
export function propose(s: CoreState, commands: readonly Uint8Array[]): void {
  if (s.role !== 'leader') {
    refuse(s, notLeader(s));
    return;
  }
  const firstIndex = s.log.lastIndex + 1;
  const entries: Entry[] = [];
  for (const data of commands) {
    const entry: Entry = { kind: 'command', term: s.term, index: firstIndex + entries.length, data };
    const bytes = s.uncommittedBytes + entryBytes(entry);
    if (s.uncommittedBytes > 0 && bytes > s.options.maxUncommittedBytes) break;
    s.uncommittedBytes = bytes;
    entries.push(entry);
  }
  s.append(entries);
  broadcastAppends(s, false);
  const accepted = entries.length;
  const refusal: Refusal | null = accepted < commands.length ? { code: 'BUSY' } : null;
  s.answerProposal({ accepted, firstIndex, term: s.term, refusal });
}

/**
 * One membership step. Only one may be uncommitted at a time, or two majorities need not overlap; and only
 * after an entry of this term is committed, or two leaders' steps from the same configuration could fork
 * the log (Ongaro, "bug in single-server membership changes", raft-dev, 2015).
 */
export function proposeChange(s: CoreState, change: ConfigurationChange): void {
  if (s.role !== 'leader') {
    refuse(s, notLeader(s));
    return;
  }
  if (s.log.termAt(s.commitIndex) !== s.term || s.configurations.index > s.commitIndex) {
    refuse(s, { code: 'BUSY' });
    return;
  }
  const next = applyChange(s.configuration, change);
  if (!next.ok) {
    refuse(s, { code: 'INVALID_CHANGE', reason: next.error });
    return;
  }
  const index = s.log.lastIndex + 1;
  s.append([{ kind: 'configuration', term: s.term, index, configuration: next.value }]);
  trackMembers(s);
  broadcastAppends(s, false);
  s.answerProposal({ accepted: 1, firstIndex: index, term: s.term, refusal: null });
  // Fewer voters may be a majority now of what was waiting.
  advanceCommit(s);
}

/** Consensus frames of a member that means harm, of every kind that could change something if it were believed. */
import type { Message } from '../../node/consensus/messages.ts';
import type { Entry } from '../../node/consensus/types.ts';

const forged = (term: number, index: number): Entry => ({
  kind: 'command',
  term,
  index,
  data: new TextEncoder().encode('forged'),
});

/** As if sent in `term` to a node whose log ends at `index` with an entry of `lastTerm`; the first five ask to lead. */
export const hostileFrames = (term: number, index: number, lastTerm: number): Message[] => [
  {
    type: 'append',
    term,
    previousIndex: index,
    previousTerm: lastTerm,
    commitIndex: index + 99,
    entries: [forged(term, index + 1)],
  },
  { type: 'append', term, previousIndex: 0, previousTerm: 0, commitIndex: 1, entries: [forged(1, 1)] },
  { type: 'heartbeat', term, commitIndex: index + 99 },
  { type: 'vote-request', pre: true, term: term + 1, lastIndex: index + 99, lastTerm: term },
  { type: 'vote-request', pre: false, term: term + 1, lastIndex: index + 99, lastTerm: term },
  { type: 'vote-response', pre: false, granted: false, term },
  { type: 'vote-response', pre: false, granted: true, term },
  { type: 'append-rejected', term, previousIndex: 1, hintIndex: 0, hintTerm: 0 },
  { type: 'append-accepted', term, matchIndex: index + 99 },
  { type: 'heartbeat-response', term },
  {
    type: 'voters-response',
    term,
    configurationIndex: index + 99,
    configurationTerm: term,
    voters: ['somebody'],
  },
];

/** What of a status makes listeners hear of it, and the status of a node that isn't running yet. */
import { EMPTY_CONFIGURATION } from './configuration.ts';
import type { Configuration, ConsensusStatus, NodeId, Role } from './types.ts';

export interface StatusHead {
  readonly role: Role;
  readonly term: number;
  readonly leader: NodeId | null;
  readonly ready: boolean;
  readonly configuration: Configuration;
  readonly vouched: readonly NodeId[];
}

/** Configurations are never changed in place, so the same object is the same configuration. */
export const sameHead = (a: StatusHead, b: StatusHead): boolean =>
  a.role === b.role &&
  a.term === b.term &&
  a.leader === b.leader &&
  a.ready === b.ready &&
  a.configuration === b.configuration &&
  a.vouched === b.vouched;

/** Of a node that doesn't (or no longer) take part: whatever it was, it serves nobody. */
export const withdrawn = (status: ConsensusStatus): ConsensusStatus => ({
  ...status,
  role: 'follower',
  leader: null,
  ready: false,
  progress: new Map(),
});

export const emptyStatus = (id: NodeId): ConsensusStatus => ({
  id,
  role: 'follower',
  term: 0,
  leader: null,
  ready: false,
  commitIndex: 0,
  appliedIndex: 0,
  lastIndex: 0,
  configuration: EMPTY_CONFIGURATION,
  vouched: [],
  progress: new Map(),
});

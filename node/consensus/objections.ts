/**
 * What was wrong with frames of other members. Such a frame is dropped, and nothing else happens: it is told to people,
 * and a lie of a peer never ends this process.
 */
import type { NodeId } from './types.ts';

/**
 * `says` completes "NAME …". Where `severity` is warn, honest members do it too for a moment, while the news of a new
 * leader or of a change of members is on its way.
 */
export const OBJECTIONS = {
  'not-a-voter': { severity: 'warn', says: 'acts as a voter and is none, as far as this node knows' },
  malformed: {
    severity: 'warn',
    says: 'sends consensus frames that make no sense, perhaps of another version',
  },
  'term-of-a-learner': {
    severity: 'warn',
    says: 'has no vote, and is in a later term than the voters, whom it will not hear',
  },
  'second-leader': { severity: 'error', says: 'claims to lead a term that another node leads' },
  'unsound-append': { severity: 'error', says: 'sends log entries out of order' },
  'contradicts-commit': {
    severity: 'error',
    says: 'contradicts what is committed here: one of both was deceived, or its disk lost what it was to keep',
  },
  'acknowledges-too-much': { severity: 'error', says: 'acknowledges log entries that it was never sent' },
  'absurd-term': { severity: 'error', says: 'claims a term that no elections lead to' },
} as const;
export type Objection = keyof typeof OBJECTIONS;

/** A message that counted for nothing. */
export interface Refused {
  readonly peer: NodeId;
  readonly objection: Objection;
}

export interface PeerObjection extends Refused {
  /** Frames dropped for it since the start. */
  readonly count: number;
  /** Monotonic. */
  readonly lastAtMs: number;
}

/** A peer can send many of them in a second: so often is one told. */
const TELL_MS = 60_000;
/** Of pairs of peer and objection. Members are bounded, and so are these. */
const MOST_KEPT = 1024;

interface Kept extends PeerObjection {
  readonly toldAtMs: number;
}

export class ObjectionBook {
  readonly #kept = new Map<string, Kept>();

  /** @returns how many there were of this kind, when it is time to tell people of it */
  note(peer: NodeId, objection: Objection, nowMs: number): number | null {
    const key = `${objection} ${peer}`;
    const before = this.#kept.get(key);
    if (before === undefined && this.#kept.size >= MOST_KEPT) return null;
    const count = (before?.count ?? 0) + 1;
    const isTold = before === undefined || nowMs - before.toldAtMs >= TELL_MS;
    const toldAtMs = isTold ? nowMs : before.toldAtMs;
    this.#kept.set(key, { peer, objection, count, lastAtMs: nowMs, toldAtMs });
    return isTold ? count : null;
  }

  list(): readonly PeerObjection[] {
    return [...this.#kept.values()];
  }
}

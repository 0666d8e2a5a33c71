/**
 * Which terms there can be. A term that was taken over is kept for good, and the last number that can be counted would
 * end voting: nobody may bring it near.
 *
 * The bound has to be the same on all nodes, and not to be exhausted. One that is relative to a node's own term is
 * neither: whoever takes it in small steps gets anywhere, and a node that was away while the others were led far is
 * then deaf to them. So it is the time: fewer than one election a millisecond since 1970. Whoever claims as much leaves
 * a thousand terms a second to those that hold elections, for 280,000 years. Clocks that differ matter only after such
 * a claim, and only for as long as they differ; without one, terms are small numbers, and no clock matters.
 */
import { ConsensusError } from './errors.ts';
import type { StoredLog } from './log-store.ts';

/** A trillion terms may be, whatever the clock says: it may never have been set. */
const PLENTY = 2 ** 40;
/** Beyond it is no term that this bound ever let in, by whatever clock. */
const ABSURD = 2 ** 50;

export const isPlausibleTerm = (term: number, nowMs: number): boolean => term <= Math.max(nowMs, PLENTY);

/**
 * Builds before this bound took over any term. A node that kept an absurd one could be heard by nobody, so it goes back
 * to a term that everyone takes. Its vote in the absurd term is void, as that term is; in none that an election led to
 * can it vote again, as all of those are below.
 *
 * @throws ConsensusError CORRUPT where entries of such a term are in the log
 */
export function withPlausibleTerm(stored: StoredLog): StoredLog {
  const { hardState, entries } = stored;
  if (hardState.term <= ABSURD) return stored;
  if ((entries.at(-1)?.term ?? 0) > PLENTY) {
    throw new ConsensusError(
      'CORRUPT',
      'the log holds entries of a term that no elections lead to; remove the data directory and join the cluster anew',
    );
  }
  return { entries, hardState: { ...hardState, term: PLENTY, votedFor: null } };
}

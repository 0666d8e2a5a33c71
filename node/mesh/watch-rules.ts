/** When a connection that looks open must be given up. Pure. */

/** What was seen of one connected member at one look (every WATCH_PERIOD_MS). */
export interface Look {
  /** Whether anything at all came from it since the last look. */
  readonly heard: boolean;
  /** Whether gossip has a stream open to it, and from it. */
  readonly gossipOut: boolean;
  readonly gossipIn: boolean;
  /** Since its own last gossip was heard on this connection; null: none was yet. */
  readonly gossipSilentMs: number | null;
}

/** Looks in a row at which something was wrong. */
export interface Complaints {
  readonly silent: number;
  readonly mute: number;
}

export const NO_COMPLAINTS: Complaints = { silent: 0, mute: 0 };

/**
 * Counted in looks, not in milliseconds: after this process itself was stopped for a minute, a single look
 * finds everyone silent although their bytes are only waiting to be read.
 */
const SILENT_LOOKS = 3;
const MUTE_LOOKS = 4;
/** Nodes gossip every few seconds. */
const GOSSIP_SILENT_MS = 60_000;

export function review(
  before: Complaints,
  look: Look,
): { readonly complaints: Complaints; readonly verdict: 'fine' | 'dead' | 'mute' } {
  const gossips = look.gossipOut && look.gossipIn;
  const complaints = {
    silent: look.heard ? 0 : before.silent + 1,
    mute: gossips ? 0 : before.mute + 1,
  };
  if (complaints.silent >= SILENT_LOOKS) return { complaints, verdict: 'dead' };
  const fellSilent = look.gossipSilentMs !== null && look.gossipSilentMs >= GOSSIP_SILENT_MS;
  if (complaints.mute >= MUTE_LOOKS || fellSilent) return { complaints, verdict: 'mute' };
  return { complaints, verdict: 'fine' };
}

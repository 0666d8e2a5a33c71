/** Options of the driver, their defaults, and what they are in ticks. */
import type { CoreOptions } from './core-state.ts';
import type { NodeId } from './types.ts';

export interface ConsensusOptions {
  /** This node. */
  readonly id: NodeId;
  /** Between two heartbeats of a leader. @default 100 */
  readonly heartbeatMs?: number;
  /** Shortest election timeout; the longest is twice that. @default 600 */
  readonly electionTimeoutMs?: number;
  /** Of the core's clock: how finely timeouts are told apart. @default a fifth of heartbeatMs */
  readonly tickMs?: number;
  /** Entries of one append together. @default 262144 */
  readonly maxAppendBytes?: number;
  /** Appends on their way to one follower. @default 16 */
  readonly windowAppends?: number;
  /** Proposed and not committed yet. @default 16777216 */
  readonly maxUncommittedBytes?: number;
  /** One command. @default 1048576 */
  readonly maxEntryBytes?: number;
  /**
   * A broken promise of disk or peers (`LogStoreError`, `ConsensusError`): consensus has stopped for good, and
   * the daemon has to end.
   */
  readonly onFatal?: (error: Error) => void;
}

export const CONSENSUS_DEFAULTS = {
  heartbeatMs: 100,
  electionTimeoutMs: 600,
  maxAppendBytes: 256 * 1024,
  windowAppends: 16,
  maxUncommittedBytes: 16 * 1024 * 1024,
  maxEntryBytes: 1024 * 1024,
} as const;

/** A follower that lost its connection to the leader campaigns within this share of the election timeout. */
const HURRY_SHARE = 0.25;

export interface TickPlan {
  readonly tickMs: number;
  readonly maxEntryBytes: number;
  readonly core: CoreOptions;
}

export function planTicks(options: ConsensusOptions): TickPlan {
  const given = { ...CONSENSUS_DEFAULTS, ...options };
  const tickMs = options.tickMs ?? Math.max(1, given.heartbeatMs / 5);
  const electionTicks = Math.max(2, Math.round(given.electionTimeoutMs / tickMs));
  return {
    tickMs,
    maxEntryBytes: given.maxEntryBytes,
    core: {
      id: options.id,
      heartbeatTicks: Math.max(1, Math.round(given.heartbeatMs / tickMs)),
      electionTicks,
      hurryTicks: Math.max(1, Math.round(electionTicks * HURRY_SHARE)),
      maxAppendBytes: given.maxAppendBytes,
      windowAppends: given.windowAppends,
      maxUncommittedBytes: given.maxUncommittedBytes,
    },
  };
}

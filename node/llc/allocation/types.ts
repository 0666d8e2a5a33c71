/**
 * The ways of a machine's last-level caches as plain data. Words:
 * - partition: a contiguous run of ways of one domain that one run has alone;
 * - pool: the run of ways of a domain that all its *members* share; one class of service for all domains;
 * - waiting: a member that asked for a partition and got none because classes of service (CLOSIDs) or monitoring ids
 *   were used up. Its ways are counted in the pool, and it takes them along when it is moved up;
 * - reserve: the ways of everything that isn't ours, fixed; foreign: ways that other programs hold.
 */
import type { Span } from './spans.ts';

export interface Partition {
  readonly id: string;
  readonly span: Span;
}

export interface PoolMember {
  readonly id: string;
  readonly ways: number;
  readonly waiting: boolean;
  /** Order of arrival over all domains. */
  readonly ticket: number;
}

export interface DomainState {
  readonly id: number;
  readonly ways: number;
  /** The kernel takes no shorter mask (`min_cbm_bits`, at least 1). */
  readonly minBits: number;
  /** Ways that I/O devices also fill (`shareable_bits`). */
  readonly ioMask: number;
  readonly foreignMask: number;
  readonly reserve: Span;
  /** By first way. */
  readonly partitions: readonly Partition[];
  readonly pool: Span | null;
  /** By ticket. */
  readonly members: readonly PoolMember[];
}

export interface PoolLimits {
  /** Ways of a pool that has members. @default 1 */
  readonly minWays: number;
  /** Ways that insensitive members can make it grow to. @default 4 */
  readonly maxWays: number;
  /** Insensitive members that share one way. @default 4 */
  readonly membersPerWay: number;
  /** Memory bandwidth of all members together, percent; null: no limit. It takes no ways. @default null */
  readonly bandwidthPercent: number | null;
}

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  minWays: 1,
  maxWays: 4,
  membersPerWay: 4,
  bandwidthPercent: null,
};

export interface WayState {
  /** Classes of service that are ours: all but root's and those of other programs. One is kept for the pool. */
  readonly closids: number;
  readonly limits: PoolLimits;
  readonly nextTicket: number;
  readonly domains: readonly DomainState[];
}

export interface WayRequest {
  readonly id: string;
  readonly domain: number;
  readonly ways: number;
  /** Whether it gains from cache of its own; what doesn't goes to the pool. */
  readonly sensitive: boolean;
  /** Wait in the pool although there is a class of service: it could not be had from the kernel. */
  readonly wait?: boolean;
}

/**
 * One rewriting of a mask. Steps are carried out in their order; after each, no two partitions overlap, nor does one
 * the pool (but a pool that is given up may still lie under the partition of its last member).
 */
export interface Step {
  readonly domain: number;
  /** Id of a partition, or null for the pool. */
  readonly holder: string | null;
  readonly from: Span | null;
  readonly to: Span | null;
}

export interface Plan {
  readonly state: WayState;
  readonly steps: readonly Step[];
}

export interface Loan extends Plan {
  readonly id: string;
  /** Null: in the pool. */
  readonly span: Span | null;
}

export interface Refusal {
  readonly code: 'NO_WAYS' | 'POOL_FULL' | 'NO_CLOSID' | 'UNKNOWN_DOMAIN' | 'DUPLICATE' | 'BAD_WAYS';
  readonly message: string;
}

/**
 * The leases of a node and what they count for. Those that nothing holds are counted as the allocator counts the
 * others: a run that gains nothing from cache takes its share of a pool, others their ways. So they use up what there
 * is, or there would be no end of them.
 */
import { largestLoan } from '../allocation/allocator.ts';
import { unpromisedWays } from '../allocation/domain.ts';
import { poolCapacity, sharedWays } from '../allocation/pool.ts';
import { spanMask } from '../allocation/spans.ts';
import type { PoolLimits, WayState } from '../allocation/types.ts';
import type { LlcDomain, Topology } from '../types.ts';
import type { HeldLease } from './held-lease.ts';
import type { Mount } from './mount.ts';
import type { LentDomain, LentWays, PartitionRefusal } from './types.ts';

export interface AccountsOptions {
  readonly topology: Pick<Topology, 'domains'>;
  /** Ways of each domain that are not lent. */
  readonly reserveWays: number;
  readonly limits: PoolLimits;
}

/** What counts of a lease. */
type Share = Pick<HeldLease, 'domain' | 'ways' | 'sensitive'>;

/** States are never changed: what was found out of one stays true. */
const known = new WeakMap<WayState, Map<number, number>>();

/** `mount` is what the kernel holds; null: nothing. */
export class Accounts {
  readonly leases = new Set<HeldLease>();
  readonly #options: AccountsOptions;

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /** The most that one more run can be lent; 0 for a domain that isn't there. */
  freeWays(domainId: number, mount: Mount | null): number {
    const { topology, reserveWays, limits } = this.#options;
    const counted = this.#waysOf(this.counted(mount), domainId);
    if (mount === null) {
      const domain = byId(topology.domains, domainId);
      return domain === undefined ? 0 : Math.max(0, domain.ways - reserveWays - counted);
    }
    const domain = byId(mount.state.domains, domainId);
    if (domain === undefined) return 0;
    const left = unpromisedWays(domain, limits) - counted;
    return Math.max(0, Math.min(largestIn(mount.state, domainId), left));
  }

  /** Leases that nothing holds. */
  counted(mount: Mount | null): HeldLease[] {
    return [...this.leases].filter((lease) => mount === null || !mount.has(lease));
  }

  /** Why it can't be lent, whoever else has ways. */
  refuse({ domain, ways }: Share): PartitionRefusal | null {
    if (byId(this.#options.topology.domains, domain) === undefined)
      return { code: 'UNKNOWN_DOMAIN', message: `this node has no LLC domain ${domain}` };
    if (Number.isInteger(ways) && ways > 0) return null;
    return { code: 'BAD_WAYS', message: `${ways} is no number of ways.` };
  }

  /** Why there is no room for it beside what is lent. @param beside who shares with it, if it is one that shares */
  refuseFull(lease: Share, beside: readonly Share[], mount: Mount | null): PartitionRefusal | null {
    const { domain, ways, sensitive } = lease;
    const free = this.freeWays(domain, mount);
    const grown = this.#waysOf([...beside, lease], domain) - this.#waysOf(beside, domain);
    const sharing = beside.filter((each) => each.domain === domain && !each.sensitive).length;
    if (grown <= free && (sensitive || sharing < poolCapacity(this.#options.limits))) return null;
    const message = `LLC domain ${domain} can lend ${free} ways at most, not ${ways}.`;
    return { code: 'FULL', message };
  }

  /** Lends ways that nothing holds. */
  count(lease: HeldLease, reason: string, mount: Mount | null): PartitionRefusal | null {
    const refusal = this.refuseFull(lease, this.counted(mount), mount);
    if (refusal !== null) return refusal;
    lease.lose(reason);
    this.leases.add(lease);
    return null;
  }

  view(mount: Mount | null): LentDomain[] {
    return this.#options.topology.domains.map(({ id, ways, wayBytes }) => {
      const leases = [...this.leases].filter(({ domain }) => domain === id).map(describe);
      return {
        id,
        ways,
        wayBytes,
        ...this.#holdingOf(id, mount),
        leases,
        freeWays: this.freeWays(id, mount),
        occupancyBytes: sumOf(leases),
      };
    });
  }

  #holdingOf(
    id: number,
    mount: Mount | null,
  ): Pick<LentDomain, 'masks' | 'minWays' | 'poolBandwidthPercent'> {
    const domain = mount === null ? undefined : byId(mount.state.domains, id);
    if (mount === null || domain === undefined) {
      const ways = byId(this.#options.topology.domains, id)?.ways ?? 0;
      const count = Math.min(this.#options.reserveWays, ways);
      const reserve = count === 0 ? 0 : spanMask({ start: ways - count, count });
      return { masks: { reserve, foreign: 0, io: 0, pool: 0 }, minWays: 1, poolBandwidthPercent: null };
    }
    const { minBits: minWays, reserve, foreignMask: foreign, ioMask: io, pool } = domain;
    return {
      masks: { reserve: spanMask(reserve), foreign, io, pool: pool === null ? 0 : spanMask(pool) },
      minWays,
      poolBandwidthPercent: pool === null ? null : mount.state.limits.bandwidthPercent,
    };
  }

  #waysOf(shares: readonly Share[], domainId: number): number {
    const { limits } = this.#options;
    const here = shares.filter(({ domain }) => domain === domainId);
    const own = here.filter(({ sensitive }) => sensitive);
    const sharing = here.length - own.length;
    return own.reduce((sum, { ways }) => sum + ways, 0) + sharedWays(sharing, limits.minWays, limits);
  }
}

function byId<T extends Pick<LlcDomain, 'id'>>(domains: readonly T[], wanted: number): T | undefined {
  return domains.find(({ id }) => id === wanted);
}

function largestIn(state: WayState, domainId: number): number {
  const found = known.get(state) ?? new Map<number, number>();
  known.set(state, found);
  const largest = found.get(domainId) ?? largestLoan(state, domainId);
  found.set(domainId, largest);
  return largest;
}

function describe({ runId, attempt, ways, hold, mask, trail }: HeldLease): LentWays {
  return { runId, attempt, ways, hold, mask, occupancyBytes: trail.summary().occupancyBytes?.last ?? null };
}

/** Null when nothing was counted of any. */
function sumOf(leases: readonly LentWays[]): number | null {
  const counted = leases.map(({ occupancyBytes }) => occupancyBytes).filter((bytes) => bytes !== null);
  return counted.length === 0 ? null : counted.reduce((sum, bytes) => sum + bytes, 0);
}

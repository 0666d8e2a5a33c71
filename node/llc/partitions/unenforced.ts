/** Accounts for ways that nothing holds: for machines without resctrl. */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { CacheUse } from '../../../protocols/schema/run.ts';
import { DEFAULT_POOL_LIMITS } from '../allocation/types.ts';
import type { Topology } from '../types.ts';
import { Accounts } from './accounts.ts';
import { HeldLease } from './held-lease.ts';
import {
  type Lease,
  type PartitionRefusal,
  type PartitionRequest,
  type Partitions,
  type PartitionsView,
  STOPPING,
  type Standing,
} from './types.ts';

export interface UnenforcedPartitionsOptions {
  /** Why nothing is held; recorded with every run. */
  readonly reason: string;
  /** Ways of each domain that are not lent. @default 0 */
  readonly reserveWays?: number;
}

export interface UnenforcedPartitionsDependencies {
  readonly topology: Pick<Topology, 'domains'>;
  /** What is lent or free has changed. */
  readonly onChange?: () => void;
}

export class UnenforcedPartitions implements Partitions {
  readonly #reason: string;
  readonly #accounts: Accounts;
  readonly #onChange: () => void;
  #stopped = false;

  constructor(
    { reason, reserveWays = 0 }: UnenforcedPartitionsOptions,
    { topology, onChange = () => {} }: UnenforcedPartitionsDependencies,
  ) {
    this.#reason = reason;
    this.#accounts = new Accounts({ topology, reserveWays, limits: DEFAULT_POOL_LIMITS });
    this.#onChange = onChange;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#accounts.leases.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>> {
    if (this.#stopped) return fail(STOPPING);
    const lease = new HeldLease(`${request.runId}-${request.attempt}`, request);
    const refusal = this.#accounts.refuse(lease) ?? this.#accounts.count(lease, this.#reason, null);
    if (refusal !== null) return fail(refusal);
    this.#onChange();
    return succeed(lease);
  }

  async enter(lease: Lease, _pid: number): Promise<Standing> {
    return lease.recorded;
  }

  async release(lease: Lease): Promise<void> {
    if (lease instanceof HeldLease && this.#accounts.leases.delete(lease)) this.#onChange();
  }

  async observe(lease: Lease): Promise<CacheUse> {
    return HeldLease.of(lease).trail.summary();
  }

  view(): PartitionsView {
    const domains = this.#accounts.view(null);
    if (!this.#stopped) return { state: 'counting', reason: this.#reason, domains };
    return {
      state: 'stopped',
      reason: this.#reason,
      domains: domains.map((domain) => ({ ...domain, freeWays: 0 })),
    };
  }
}

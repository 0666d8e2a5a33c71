/** Accounts for ways that nothing holds: for machines without resctrl. */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { CacheUse } from '../../state/types.ts';
import type { Topology } from '../types.ts';
import { countedFree, fitsCounted } from './free-ways.ts';
import { HeldLease } from './held-lease.ts';
import type {
  Lease,
  PartitionRefusal,
  PartitionRequest,
  Partitions,
  PartitionsView,
  Standing,
} from './types.ts';
import { countedView } from './view.ts';

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
  readonly #reserveWays: number;
  readonly #dependencies: UnenforcedPartitionsDependencies;
  readonly #leases = new Set<HeldLease>();
  #stopped = false;

  constructor(options: UnenforcedPartitionsOptions, dependencies: UnenforcedPartitionsDependencies) {
    this.#reason = options.reason;
    this.#reserveWays = options.reserveWays ?? 0;
    this.#dependencies = dependencies;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leases.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>> {
    const { domain, ways } = request;
    if (this.#stopped) return fail({ code: 'STOPPING', message: 'This node lends no cache now.' });
    const free = this.freeWays(domain);
    if (!this.#dependencies.topology.domains.some(({ id }) => id === domain)) {
      return fail({ code: 'UNKNOWN_DOMAIN', message: `This node has no LLC domain ${domain}.` });
    }
    if (!Number.isInteger(ways) || ways < 1) {
      return fail({ code: 'BAD_WAYS', message: `${ways} is no number of ways.` });
    }
    const lease = new HeldLease(`${request.runId}-${request.attempt}`, request);
    if (!fitsCounted(free, [...this.#leases], lease)) {
      const message = `LLC domain ${domain} can lend ${free} ways at most, not ${ways}.`;
      return fail({ code: 'FULL', message });
    }
    lease.lose(this.#reason);
    this.#leases.add(lease);
    this.#dependencies.onChange?.();
    return succeed(lease);
  }

  async enter(lease: Lease, _pid: number): Promise<Standing> {
    return { enforcement: lease.enforcement, reason: lease.reason };
  }

  async verify(lease: Lease): Promise<Standing> {
    return { enforcement: lease.enforcement, reason: lease.reason };
  }

  async release(lease: Lease): Promise<void> {
    if (lease instanceof HeldLease && this.#leases.delete(lease)) this.#dependencies.onChange?.();
  }

  async observe(_lease: Lease): Promise<CacheUse> {
    return {
      samples: 0,
      occupancyBytes: null,
      bandwidthBytesPerSecond: null,
      localBandwidthBytesPerSecond: null,
    };
  }

  freeWays(domain: number): number {
    if (this.#stopped) return 0;
    return countedFree(this.#dependencies.topology, this.#reserveWays, this.#leases, domain);
  }

  view(): PartitionsView {
    const state = this.#stopped ? 'stopped' : 'accounting';
    const freeWays = (domain: number) => this.freeWays(domain);
    const { topology } = this.#dependencies;
    return countedView(
      { state, reason: this.#reason },
      topology,
      this.#reserveWays,
      [...this.#leases],
      freeWays,
    );
  }
}

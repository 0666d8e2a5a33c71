/**
 * Partitions on an emulated resctrl: everything is carried out as on hardware, and nothing is held. So that nobody takes a
 * demo for the real thing, what is recorded of a run says `unenforced`, and what hardware would have made of it.
 */
import { type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { CacheUse } from '../../state/types.ts';
import type {
  Lease,
  PartitionRefusal,
  PartitionRequest,
  Partitions,
  PartitionsView,
  Standing,
} from './types.ts';

class EmulatedLease implements Lease {
  readonly inner: Lease;

  constructor(inner: Lease) {
    this.inner = inner;
  }
  get runId(): string {
    return this.inner.runId;
  }
  get attempt(): number {
    return this.inner.attempt;
  }
  get domain(): number {
    return this.inner.domain;
  }
  get ways(): number {
    return this.inner.ways;
  }
  get group(): string | null {
    return this.inner.group;
  }
  get mask(): number | null {
    return this.inner.mask;
  }
  get enforcement(): Lease['enforcement'] {
    return asRecorded(this.inner).enforcement;
  }
  get reason(): string | null {
    return asRecorded(this.inner).reason;
  }
  get recorded(): Standing {
    return asRecorded(this.inner.recorded);
  }
}

function asRecorded({ enforcement, reason }: Standing): Standing {
  const why = reason === null ? '' : ` (${reason})`;
  return {
    enforcement: 'unenforced',
    reason: `emulated: with cache allocation it would be ${enforcement}${why}`,
  };
}

export class EmulatedPartitions implements Partitions {
  readonly #inner: Partitions;

  constructor(inner: Partitions) {
    this.#inner = inner;
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  stop(): Promise<void> {
    return this.#inner.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async acquire(request: PartitionRequest): Promise<Outcome<Lease, PartitionRefusal>> {
    const acquired = await this.#inner.acquire(request);
    return acquired.ok ? succeed(new EmulatedLease(acquired.value)) : acquired;
  }

  async enter(lease: Lease, pid: number): Promise<Standing> {
    return asRecorded(await this.#inner.enter(innerOf(lease), pid));
  }

  async verify(lease: Lease): Promise<Standing> {
    return asRecorded(await this.#inner.verify(innerOf(lease)));
  }

  release(lease: Lease): Promise<void> {
    return this.#inner.release(innerOf(lease));
  }

  observe(lease: Lease): Promise<CacheUse> {
    return this.#inner.observe(innerOf(lease));
  }

  freeWays(domain: number): number {
    return this.#inner.freeWays(domain);
  }

  view(): PartitionsView {
    return this.#inner.view();
  }
}

const innerOf = (lease: Lease): Lease => (lease instanceof EmulatedLease ? lease.inner : lease);

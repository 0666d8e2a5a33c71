/** A lease as its holder sees it from inside: what of it is true now, and the weakest that was. */
import type { Hold } from '../../../protocols/schema/capacity.ts';
import type { Enforcement } from '../../../protocols/schema/run.ts';
import { CounterTrail } from './counter-trail.ts';
import type { Lease, PartitionRequest, Standing } from './types.ts';

const STRENGTH: Readonly<Record<Enforcement, number>> = { unenforced: 0, shared: 1, enforced: 2 };

export class HeldLease implements Lease {
  /** Key in the allocator, and its group's name in resctrl. */
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  readonly domain: number;
  readonly sensitive: boolean;
  readonly trail = new CounterTrail();
  /** Processes that entered. */
  readonly pids = new Set<number>();
  ways: number;
  /** Monitoring group, or the control group itself where it has that alone; null without one. */
  monitor: string | null = null;
  released = false;
  /** Position in its domain. */
  mask: number | null = null;
  readonly #emulated: boolean;
  #group: string | null = null;
  #standing: Standing = { enforcement: 'unenforced', reason: 'it has not been lent yet' };
  #recorded: Standing | null = null;

  /** @param emulated see `PartitionManagerOptions` */
  constructor(id: string, request: PartitionRequest, emulated = false) {
    this.id = id;
    this.#emulated = emulated;
    this.runId = request.runId;
    this.attempt = request.attempt;
    this.domain = request.domain;
    this.ways = request.ways;
    this.sensitive = request.sensitive;
  }

  /** @throws TypeError for a lease that somebody else gave */
  static of(lease: Lease): HeldLease {
    if (lease instanceof HeldLease) return lease;
    throw new TypeError('this lease is of another holder');
  }

  get group(): string | null {
    return this.#group;
  }

  get hold(): Hold {
    if (this.#group === null) return 'counted';
    return this.#group === this.id ? 'partition' : 'pool';
  }

  /** Without a monitoring group its threads can't be told from those of other members of the pool. */
  get canMoveUp(): boolean {
    return this.monitor !== null || this.pids.size === 0;
  }

  get enforcement(): Enforcement {
    return this.standing.enforcement;
  }

  get reason(): string | null {
    return this.standing.reason;
  }

  get standing(): Standing {
    return this.#told(this.#standing);
  }

  get recorded(): Standing {
    return this.#told(this.#recorded ?? this.#standing);
  }

  /** From now on the weakest standing is kept. */
  entered(pid: number): void {
    this.pids.add(pid);
    this.#recorded ??= this.#standing;
  }

  join(group: string, monitor: string | null, standing: Standing): void {
    this.#group = group;
    this.monitor = monitor;
    this.become(standing);
  }

  become(standing: Standing): void {
    this.#standing = standing;
    const weaker =
      this.#recorded !== null && STRENGTH[standing.enforcement] < STRENGTH[this.#recorded.enforcement];
    if (weaker) this.#recorded = standing;
  }

  /** Nothing holds it any more. */
  lose(reason: string): void {
    this.leave();
    this.become({ enforcement: 'unenforced', reason });
  }

  /** Its standing stays as it was. */
  leave(): void {
    this.#group = null;
    this.monitor = null;
    this.mask = null;
  }

  #told({ enforcement, reason }: Standing): Standing {
    if (!this.#emulated) return { enforcement, reason };
    const why = reason === null ? '' : ` (${reason})`;
    return {
      enforcement: 'unenforced',
      reason: `emulated: with cache allocation it would be ${enforcement}${why}`,
    };
  }
}

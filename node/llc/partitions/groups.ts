/** Makes our groups, writes the masks that the allocator asks for, and limits the pool's memory bandwidth. */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { Logger } from '../../ports.ts';
import { type Span, spanMask } from '../allocation/spans.ts';
import type { DomainState, PoolLimits, Step, WayState } from '../allocation/types.ts';
import { formatMask } from '../masks.ts';
import { inGroup, ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { formatSchemata, parseSchemata } from '../resctrl/schemata.ts';
import type { HeldLease } from './held-lease.ts';
import { isAbsent, type Masks, readMasks, removeGroup, schemataOf } from './survey.ts';
import { outside, strayThreads, type ThreadsOf } from './tasks.ts';
import { unenforced } from './types.ts';

/** What the kernel lacks for a group: a class of service, a monitoring id, or one that is clean yet. */
export type Shortage = 'CLOSID' | 'RMID' | 'LIMBO';

export type Carried =
  | { readonly ok: true }
  /** `broken`: holders whose mask could not be put back either. */
  | { readonly ok: false; readonly cause: unknown; readonly broken: readonly (string | null)[] };

export interface OurGroupsParts {
  readonly fs: ResctrlFs;
  readonly logger: Logger;
  readonly topology: ResctrlTopology;
  /** Name of the group of the pool. */
  readonly pool: string;
  readonly limits: PoolLimits;
}

export class OurGroups {
  readonly #parts: OurGroupsParts;
  /** Whether there may be a group of the pool. */
  hasPool = false;

  constructor(parts: OurGroupsParts) {
    this.#parts = parts;
  }

  /** Also `there`, for the pool. */
  async make(group: string): Promise<'made' | 'there' | Shortage> {
    const { fs, pool } = this.#parts;
    try {
      await fs.mkdir(group);
    } catch (error) {
      if (!(error instanceof ResctrlError)) throw error;
      if (error.code === 'EEXIST') return 'there';
      if (error.code === 'EBUSY') return 'LIMBO';
      // The status may have older lines; the last one is of this command.
      if (error.code === 'ENOSPC')
        return /Out of RMIDs\s*$/.test(error.lastCmdStatus ?? '') ? 'RMID' : 'CLOSID';
      throw error;
    }
    if (group === pool) await this.#limitPool();
    return 'made';
  }

  /** A group that tells which threads of the pool are of a lease, and counts for them. Null: it can't be had. */
  async makeMonitor(leaseId: string): Promise<string | null> {
    const group = `${this.#parts.pool}/mon_groups/${leaseId}`;
    try {
      await this.#parts.fs.mkdir(group);
      return group;
    } catch (error) {
      if (!(error instanceof ResctrlError) || error.code === 'ENODEV') throw error;
      return null;
    }
  }

  async removePool(): Promise<void> {
    if (this.hasPool) await removeGroup(this.#parts.fs, this.#parts.pool);
    this.hasPool = false;
  }

  /**
   * Writes the masks of a plan one after the other; takes all back when one is refused.
   * @param before the state that the steps start from; its reserves are where groups go in domains that they hold
   * nothing of
   */
  async carry(before: WayState, steps: readonly Step[]): Promise<Carried> {
    const pools = new Map(before.domains.map(({ id, pool }) => [id, pool]));
    const done: Step[] = [];
    try {
      for (const step of steps) {
        await this.#rewrite(before, pools, step.holder, step.domain, step.to);
        done.push(step);
      }
      return { ok: true };
    } catch (cause) {
      const broken: (string | null)[] = [];
      for (const { holder, domain, from } of done.reverse()) {
        // What was just made is removed by who made it.
        if (from === null && holder !== null) continue;
        await this.#rewrite(before, pools, holder, domain, from).catch(() => broken.push(holder));
      }
      return { ok: false, cause, broken };
    }
  }

  async #rewrite(
    { domains }: WayState,
    pools: Map<number, Span | null>,
    holder: string | null,
    domain: number,
    to: Span | null,
  ): Promise<void> {
    const { fs, pool, topology } = this.#parts;
    if (holder !== null && to === null) return removeGroup(fs, holder);
    if (holder === null) pools.set(domain, to);
    const masks = masksBy(domains, ({ id }) => (holder === null ? pools.get(id) : id === domain ? to : null));
    await fs.write(`${holder ?? pool}/schemata`, schemataOf(topology.caches, masks));
  }

  /** A limit goes with its group. That it can't be set is no reason to refuse a run. */
  async #limitPool(): Promise<void> {
    const { fs, logger, pool, limits } = this.#parts;
    this.hasPool = true;
    const { bandwidthPercent } = limits;
    if (bandwidthPercent === null) return;
    try {
      const { values = new Map<number, number>() } = (await readBandwidth(fs, pool)) ?? {};
      const limited = new Map([...values.keys()].map((domain) => [domain, bandwidthPercent]));
      await fs.write(`${pool}/schemata`, formatSchemata([{ resource: BANDWIDTH, values: limited }]));
    } catch (error) {
      if (!(error instanceof ResctrlError) || isAbsent(error)) throw error;
      logger.warn({ err: error }, 'the shared pool has no limit of memory bandwidth');
    }
  }
}

/** Compares the group of a lease with what the kernel says; what is wrong goes on the lease. */
export async function compare(
  lease: HeldLease,
  group: string,
  state: WayState,
  fs: ResctrlFs,
  threadsOf: ThreadsOf,
): Promise<void> {
  const masks = await readMasks(fs, group);
  if (masks === null) return;
  for (const [domain, mask] of masksOf(state, group === lease.id ? lease.id : null)) {
    const actual = masks.get(domain);
    if (actual === mask) continue;
    const found = `domain ${domain} has mask ${formatMask(actual ?? 0)}, not ${formatMask(mask)}`;
    lease.become(unenforced(`another program changed ${group}: ${found}`));
  }
  for (const pid of lease.pids) {
    const strays = await strayThreads(fs, lease.monitor ?? group, pid, threadsOf);
    if (strays.length > 0) lease.become(outside(pid, strays));
  }
}

/** What the group of a holder may fill in all domains; null is the pool. */
function masksOf({ domains }: WayState, holder: string | null): Masks {
  return masksBy(domains, ({ pool, partitions }) =>
    holder === null ? pool : partitions.find(({ id }) => id === holder)?.span,
  );
}

/** A group is on the reserve in domains that it holds nothing of. */
function masksBy(
  domains: readonly DomainState[],
  spanIn: (domain: DomainState) => Span | null | undefined,
): Masks {
  return new Map(domains.map((domain) => [domain.id, spanMask(spanIn(domain) ?? domain.reserve)]));
}

const BANDWIDTH = 'MB';
const UNLIMITED_PERCENT = 100;

async function readBandwidth(fs: ResctrlFs, group: string) {
  const lines = parseSchemata(await fs.read(inGroup(group, 'schemata')));
  return lines.find(({ resource }) => resource === BANDWIDTH);
}

/** The limits of a pool as the machine can hold them; what it can't is warned of. */
export async function holdable(
  limits: PoolLimits,
  { fs, topology, logger }: Pick<OurGroupsParts, 'fs' | 'topology' | 'logger'>,
): Promise<PoolLimits> {
  const { bandwidthPercent: wanted } = limits;
  if (wanted === null) return limits;
  const held = await holdableBandwidth(wanted, fs, topology);
  if (held.ok) return { ...limits, bandwidthPercent: held.value };
  logger.warn({ wanted }, `the shared pool has no limit of bandwidth: ${held.error}`);
  return { ...limits, bandwidthPercent: null };
}

/**
 * A limit in percent, where the machine has memory bandwidth allocation (MBA); not below the least of the hardware,
 * and rounded up to its steps. The failure is a sentence that says why there is none.
 */
async function holdableBandwidth(
  wanted: number,
  fs: ResctrlFs,
  { mba }: Pick<ResctrlTopology, 'mba'>,
): Promise<Outcome<number, string>> {
  const root = await readBandwidth(fs, '');
  if (mba === null || root === undefined) return fail('this machine has no memory bandwidth allocation');
  // AMD counts in eighths of GB/s, and so does every machine in MB/s that is mounted with mba_MBps.
  if ([...root.values.values()].some((value) => value > UNLIMITED_PERCENT))
    return fail('memory bandwidth is not allocated in percent here');
  const step = Math.max(1, mba.granularity);
  const rounded = Math.ceil(Math.max(wanted, mba.minBandwidth) / step) * step;
  return succeed(Math.min(UNLIMITED_PERCENT, rounded));
}

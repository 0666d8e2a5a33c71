/** Memory bandwidth of the shared pool: a limit in percent, where the machine has memory bandwidth allocation (MBA). */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import type { ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { formatSchemata, parseSchemata } from '../resctrl/schemata.ts';

export interface PoolBandwidth {
  /** That the hardware holds. */
  readonly percent: number;
  /** What is written to the schemata of the pool's group. */
  readonly schemata: string;
}

const RESOURCE = 'MB';
const UNLIMITED_PERCENT = 100;

/** Failure: a sentence that says why there is no limit. Not below the least of the hardware, and rounded up to its steps. */
export async function planPoolBandwidth(
  wanted: number,
  fs: ResctrlFs,
  { mba }: Pick<ResctrlTopology, 'mba'>,
): Promise<Outcome<PoolBandwidth, string>> {
  const root = parseSchemata(await fs.read('schemata')).find(({ resource }) => resource === RESOURCE);
  if (mba === null || root === undefined) return fail('this machine has no memory bandwidth allocation');
  // AMD counts in eighths of GB/s, and so does every machine in MB/s that is mounted with mba_MBps.
  if ([...root.values.values()].some((value) => value > UNLIMITED_PERCENT))
    return fail('memory bandwidth is not allocated in percent here');
  const step = Math.max(1, mba.granularity);
  const rounded = Math.ceil(Math.max(wanted, mba.minBandwidth) / step) * step;
  const percent = Math.min(UNLIMITED_PERCENT, rounded);
  const values = new Map([...root.values.keys()].map((domain) => [domain, percent]));
  return succeed({ percent, schemata: formatSchemata([{ resource: RESOURCE, values }]) });
}

/** What a mounted resctrl can allocate, and in which domains. */
import { fail, type Outcome, succeed } from '../../../protocols/schema/outcome.ts';
import { popCount } from '../masks.ts';
import type { Topology } from '../types.ts';
import { type ResctrlFs, readIfThere } from './port.ts';
import { parseSchemata, parseSizes } from './schemata.ts';

export interface ResctrlDomain {
  /** The kernel's: may have gaps and need not begin at 0. Domains whose CPUs are all offline aren't there. */
  readonly id: number;
  /** Online CPUs that this process may use, ascending; empty where sysfs doesn't tell which share this cache. */
  readonly cpus: readonly number[];
  readonly wayBytes: number;
}

export interface ResctrlTopology {
  /** One line of schemata each: with CDP, data and code have masks of their own over the same ways. */
  readonly caches: readonly ['L3'] | readonly ['L3DATA', 'L3CODE'];
  readonly domains: readonly ResctrlDomain[];
  readonly ways: number;
  /** The fewest ways of a mask; at least 1, though AMD would take an empty mask. */
  readonly minWays: number;
  /** Ways that I/O devices use too; groups that have them can't be exclusive. */
  readonly shareableBits: number;
  /** Groups at once, with the root group: the smallest number over all enabled resources. */
  readonly closids: number;
  /** Percent; null without memory bandwidth allocation. */
  readonly mba: { readonly minBandwidth: number; readonly granularity: number } | null;
}

export interface TopologyFailure {
  readonly code: 'NO_L3';
  readonly message: string;
}

/**
 * `sysfs` is what `discoverTopology` found: it tells the CPUs of a domain, and way sizes where `size` can't.
 * @throws ResctrlError when it isn't mounted (ENOENT)
 */
export async function readResctrlTopology(
  fs: ResctrlFs,
  sysfs: Pick<Topology, 'domains'>,
): Promise<Outcome<ResctrlTopology, TopologyFailure>> {
  const resources = await fs.list('info');
  const caches = cachesAmong(resources);
  if (caches === null) {
    const message = 'the mounted resctrl allocates no level-3 cache: its directory info has no L3';
    return fail({ code: 'NO_L3', message });
  }
  const [cache] = caches;
  const [cbmMask, minBits, shareable] = await Promise.all([
    fs.read(`info/${cache}/cbm_mask`),
    fs.read(`info/${cache}/min_cbm_bits`),
    readIfThere(fs, `info/${cache}/shareable_bits`),
  ]);
  const ways = popCount(Number.parseInt(cbmMask, 16));
  return succeed({
    caches,
    domains: await readDomains(fs, cache, ways, sysfs),
    ways,
    minWays: Math.max(1, Number(minBits)),
    shareableBits: Number.parseInt(shareable ?? '0', 16),
    closids: await readClosids(fs, resources),
    mba: resources.includes('MB') ? await readMba(fs) : null,
  });
}

function cachesAmong(resources: readonly string[]): ResctrlTopology['caches'] | null {
  if (resources.includes('L3')) return ['L3'];
  return resources.includes('L3DATA') && resources.includes('L3CODE') ? ['L3DATA', 'L3CODE'] : null;
}

async function readDomains(
  fs: ResctrlFs,
  cache: string,
  ways: number,
  sysfs: Pick<Topology, 'domains'>,
): Promise<ResctrlDomain[]> {
  const [schemata, sizes] = await Promise.all([fs.read('schemata'), fs.read('size')]);
  const masks = parseSchemata(schemata).find(({ resource }) => resource === cache)?.values ?? new Map();
  const bytes = parseSizes(sizes).find(({ resource }) => resource === cache)?.values ?? new Map();
  return [...masks].map(([id, mask]) => {
    const known = sysfs.domains.find((domain) => domain.id === id);
    // `size` is that of root's mask of now, which may have been narrowed, on AMD down to nothing.
    const measured = (bytes.get(id) ?? 0) / popCount(mask);
    const wayBytes = measured > 0 ? measured : ((known?.wayBytes ?? 0) * (known?.ways ?? 0)) / ways;
    return { id, cpus: known?.cpus ?? [], wayBytes: Math.floor(wayBytes) };
  });
}

async function readClosids(fs: ResctrlFs, resources: readonly string[]): Promise<number> {
  // Resources that are only monitored have none, and neither has last_cmd_status.
  const counts = await Promise.all(resources.map((name) => readIfThere(fs, `info/${name}/num_closids`)));
  return Math.min(...counts.filter((count) => count !== null).map(Number));
}

async function readMba(fs: ResctrlFs): Promise<ResctrlTopology['mba']> {
  const [minBandwidth, granularity] = await Promise.all([
    fs.read('info/MB/min_bandwidth'),
    fs.read('info/MB/bandwidth_gran'),
  ]);
  return { minBandwidth: Number(minBandwidth), granularity: Number(granularity) };
}

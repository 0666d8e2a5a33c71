/** Samples of the counters of a group: how much of each cache it holds, and how many bytes it moved. */
import { inGroup, nullIf, type ResctrlFs } from './port.ts';

export interface DomainCounters {
  readonly domain: number;
  /** Bytes in the cache now: may be above the partition's size, for old lines stay where they are. */
  readonly llcOccupancy: number | null;
  /** Bytes to and from all memory since some start: only differences mean something. */
  readonly mbmTotal: number | null;
  /** The same, of memory of the CPU's own node. */
  readonly mbmLocal: number | null;
}

/**
 * Ascending by domain; null where a counter is missing or says `Unavailable`, and no entry at all where nothing is
 * monitored.
 * @throws ResctrlError ENOENT when there is no such group
 */
export async function readOccupancy(fs: ResctrlFs, group: string): Promise<DomainCounters[]> {
  const names = await fs.list(group);
  if (!names.includes('mon_data')) return [];
  const directories = (await unlessGone(fs.list(inGroup(group, 'mon_data')))) ?? [];
  const samples = directories.flatMap((name) => {
    const domain = /^mon_L3_(\d+)$/.exec(name)?.[1];
    return domain === undefined ? [] : [sample(fs, inGroup(group, `mon_data/${name}`), Number(domain))];
  });
  return (await Promise.all(samples)).sort((left, right) => left.domain - right.domain);
}

async function sample(fs: ResctrlFs, directory: string, domain: number): Promise<DomainCounters> {
  const [llcOccupancy = null, mbmTotal = null, mbmLocal = null] = await Promise.all(
    ['llc_occupancy', 'mbm_total_bytes', 'mbm_local_bytes'].map((name) =>
      readCounter(fs, `${directory}/${name}`),
    ),
  );
  return { domain, llcOccupancy, mbmTotal, mbmLocal };
}

/** `Unavailable`, `Error` and, with newer kernels, `Unassigned` stand where there is no number. */
async function readCounter(fs: ResctrlFs, path: string): Promise<number | null> {
  const text = (await unlessGone(fs.read(path)))?.trim() ?? '';
  return /^\d+$/.test(text) ? Number(text) : null;
}

/** A domain's files go when its last CPU is taken offline, and the kernel may refuse to read a counter. */
const unlessGone = <T>(reading: Promise<T>): Promise<T | null> =>
  nullIf(['ENOENT', 'ENODEV', 'EIO', 'EINVAL'], reading);

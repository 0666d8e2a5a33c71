/**
 * Which last-level caches this machine has, how large their ways are and which CPUs share them, from
 * `/sys/devices/system/cpu/cpuN/cache` (kernel documentation, ABI/testing/sysfs-devices-system-cpu).
 */
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism, cpus as machineCpus } from 'node:os';
import { join } from 'node:path';
import { parseCpuList, readAllowedCpus } from './cpu-list.ts';
import { ASSUMED_GEOMETRY, type LlcGeometry, MASK_BITS } from './geometry.ts';
import type { LlcDomain, Topology } from './types.ts';

export interface TopologyOptions {
  /** Replaces what the machine says of ways and their size; which CPUs share a cache is still read. @default null */
  readonly geometry?: LlcGeometry | null;
  /** Where sysfs is mounted. @default /sys */
  readonly sysfsRoot?: string;
  /** Where procfs is mounted. @default /proc */
  readonly procRoot?: string;
}

/** One `cache/indexN` directory of one CPU. `geometry` is null where the kernel doesn't know it. */
interface CacheEntry {
  readonly cpu: number;
  readonly level: number;
  readonly id: number | null;
  /** All CPUs that share it, usable by us or not. */
  readonly sharedBy: readonly number[];
  readonly geometry: LlcGeometry | null;
}

/** Never fails: a machine that tells nothing gets one assumed domain over all usable CPUs. */
export async function discoverTopology(options: TopologyOptions = {}): Promise<Topology> {
  const cpuRoot = join(options.sysfsRoot ?? '/sys', 'devices/system/cpu');
  const procRoot = options.procRoot ?? '/proc';
  const [allowed, present, cpuModel] = await Promise.all([
    readAllowedCpus(procRoot),
    listCpus(cpuRoot),
    readCpuModel(procRoot),
  ]);
  const usable = present.filter((cpu) => allowed === null || allowed.includes(cpu));
  const entries = (await Promise.all(usable.map((cpu) => readCaches(cpuRoot, cpu)))).flat();
  const override = options.geometry ?? null;
  const found = toDomains(entries, override);
  const domains = found.domains.length > 0 ? found.domains : [assumedDomain(usable, allowed, override)];
  const measured = found.domains.length > 0 && found.complete;
  return { domains, source: override !== null ? 'override' : measured ? 'sysfs' : 'assumed', cpuModel };
}

/** Pure: groups the entries of the last level into domains, ascending by id. */
function toDomains(
  entries: readonly CacheEntry[],
  override: LlcGeometry | null,
): { readonly domains: LlcDomain[]; readonly complete: boolean } {
  // Level 3 wins over a level 4 (memory-side eDRAM), because cache allocation works on level 3.
  const levels = entries.map((entry) => entry.level);
  const lastLevel = levels.includes(3) ? 3 : Math.max(0, ...levels);
  const groups = Map.groupBy(
    entries.filter((entry) => entry.level === lastLevel),
    (entry) => entry.sharedBy.join(','),
  );
  // Without an `id` file (kernels before 4.11), or with ids that a hypervisor gave twice, the lowest CPU that
  // shares the cache names it: stable as long as the machine is, whatever CPUs this process may use.
  const ids = [...groups.values()].map((group) => group[0]?.id ?? null);
  const trusted = !ids.includes(null) && new Set(ids).size === ids.length;
  let complete = true;
  const domains = [...groups.values()].map((group) => {
    const first = group[0] as CacheEntry;
    complete &&= first.geometry !== null;
    const id = trusted && first.id !== null ? first.id : Math.min(...first.sharedBy);
    const cpus = group.map((entry) => entry.cpu).sort((a, b) => a - b);
    return { id, cpus, ...(override ?? first.geometry ?? ASSUMED_GEOMETRY) };
  });
  return { domains: domains.sort((a, b) => a.id - b.id), complete };
}

function assumedDomain(
  usable: readonly number[],
  allowed: readonly number[] | null,
  override: LlcGeometry | null,
): LlcDomain {
  const fallback = allowed ?? Array.from({ length: availableParallelism() }, (_, cpu) => cpu);
  return { id: 0, cpus: usable.length > 0 ? usable : fallback, ...(override ?? ASSUMED_GEOMETRY) };
}

/** Online CPUs, ascending. A CPU without an `online` file can't be taken offline. */
async function listCpus(cpuRoot: string): Promise<number[]> {
  const names = await readdir(cpuRoot).catch(() => []);
  const cpus = names.flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  const online = await Promise.all(
    cpus.map(async (cpu) => (await readText(join(cpuRoot, `cpu${cpu}/online`)))?.trim() !== '0'),
  );
  return cpus.filter((_, index) => online[index]).sort((a, b) => a - b);
}

async function readCaches(cpuRoot: string, cpu: number): Promise<CacheEntry[]> {
  const root = join(cpuRoot, `cpu${cpu}/cache`);
  const names = (await readdir(root).catch(() => [])).filter((name) => /^index\d+$/.test(name));
  const entries = await Promise.all(names.map((name) => readCache(join(root, name), cpu)));
  return entries.filter((entry) => entry !== null);
}

async function readCache(directory: string, cpu: number): Promise<CacheEntry | null> {
  const read = (name: string) => readText(join(directory, name));
  const readNumber = async (name: string) => toNumber(await read(name));
  const numbers = ['level', 'id', 'ways_of_associativity', 'coherency_line_size', 'number_of_sets'];
  const [[level = null, id = null, ways = null, line = null, sets = null], [type, shared, size]] =
    await Promise.all([
      Promise.all(numbers.map(readNumber)),
      Promise.all(['type', 'shared_cpu_list', 'size'].map(read)),
    ]);
  if (level === null || type?.trim() === 'Instruction') return null;
  const sharedBy = parseCpuList(shared ?? '');
  const geometry = toGeometry(toBytes(size), ways, line, sets);
  return { cpu, level, id, sharedBy: sharedBy.length > 0 ? sharedBy : [cpu], geometry };
}

/**
 * Zero ways is the kernel's word for unknown or fully associative, and some guests are told of thousands; what has more
 * than a resctrl mask could name is cut into the assumed number.
 */
function toGeometry(
  size: number | null,
  ways: number | null,
  line: number | null,
  sets: number | null,
): LlcGeometry | null {
  const count = ways !== null && ways > 0 && ways <= MASK_BITS ? ways : null;
  if (size !== null && size > 0 && count !== null) return { ways: count, wayBytes: Math.floor(size / count) };
  if (line !== null && sets !== null && count !== null && line * sets > 0) {
    return { ways: count, wayBytes: line * sets };
  }
  if (size === null || size < ASSUMED_GEOMETRY.ways) return null;
  return { ways: ASSUMED_GEOMETRY.ways, wayBytes: Math.floor(size / ASSUMED_GEOMETRY.ways) };
}

/** ARM kernels print no model name; then what libuv knows, or `unknown`. */
async function readCpuModel(procRoot: string): Promise<string> {
  const info = (await readText(join(procRoot, 'cpuinfo'))) ?? '';
  const named = /^(?:model name|cpu model|cpu)\s*:\s*(.*\S)/im.exec(info)?.[1];
  return named ?? machineCpus()[0]?.model.trim() ?? 'unknown';
}

async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

function toNumber(text: string | null): number | null {
  return text !== null && /^\s*\d+\s*$/.test(text) ? Number(text) : null;
}

/** `32768K` and the like. */
function toBytes(text: string | null | undefined): number | null {
  const match = /^\s*(\d+)\s*([KMG]?)\s*$/i.exec(text ?? '');
  if (match === null) return null;
  const unit = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match[2]?.toUpperCase() ?? ''] ?? 1;
  return Number(match[1]) * unit;
}

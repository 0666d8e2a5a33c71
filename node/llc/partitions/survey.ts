/** Reads who holds what in resctrl: root's masks, our groups, and those of other programs. */
import { openWays } from '../allocation/allocator.ts';
import { openDomain } from '../allocation/domain.ts';
import type { PoolLimits, WayState } from '../allocation/types.ts';
import { fullMask, intersect, unite, without } from '../masks.ts';
import { inGroup, nullIf, ResctrlError, type ResctrlFs, readIfThere } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { formatSchemata, parseSchemata } from '../resctrl/schemata.ts';
import type { GroupNames } from './group-names.ts';

/** By domain id; with CDP, ways of data or code. */
export type Masks = ReadonlyMap<number, number>;

export interface Survey {
  readonly root: Masks;
  readonly ours: ReadonlySet<string>;
  /** Groups of other programs. Those that hold no ways use what everybody may use, ours included. */
  readonly foreign: readonly string[];
  /** Ways that other programs hold. */
  readonly foreignMasks: Masks;
}

/** Entries of the root directory that are no groups. */
const CONTROL_FILES: ReadonlySet<string> = new Set(
  'cpus cpus_list info mode mon_data mon_groups schemata size tasks'.split(' '),
);

/** Null when there is no such group. */
export async function readMasks(fs: ResctrlFs, group: string): Promise<Map<number, number> | null> {
  const text = await readIfThere(fs, inGroup(group, 'schemata'));
  if (text === null) return null;
  const masks = new Map<number, number>();
  for (const { resource, values } of parseSchemata(text)) {
    if (!resource.startsWith('L3')) continue;
    for (const [domain, mask] of values) masks.set(domain, unite(masks.get(domain) ?? 0, mask));
  }
  return masks;
}

/** One line for each cache resource: with CDP data and code get the same ways. Bandwidth is left as it is. */
export function schemataOf(caches: ResctrlTopology['caches'], masks: Masks): string {
  return formatSchemata(caches.map((resource) => ({ resource, values: masks })));
}

export async function survey(fs: ResctrlFs, topology: ResctrlTopology, names: GroupNames): Promise<Survey> {
  const root = await readMasks(fs, '');
  if (root === null) throw new ResctrlError('ENOENT', 'read schemata', null);
  const entries = (await fs.list('')).filter((name) => !CONTROL_FILES.has(name));
  const others = entries.filter((name) => !names.isOurs(name));
  const groups: { name: string; masks: Masks; exclusive: boolean }[] = [];
  for (const name of others) {
    const masks = await readMasks(fs, name);
    if (masks === null) continue;
    const mode = (await readIfThere(fs, inGroup(name, 'mode')))?.trim() ?? 'shareable';
    groups.push({ name, masks, exclusive: mode !== 'shareable' });
  }
  const held = new Map<number, number>();
  const hold = (masks: Iterable<readonly [number, number]>) => {
    for (const [domain, mask] of masks) held.set(domain, unite(held.get(domain) ?? 0, mask));
  };
  for (const { masks, exclusive } of groups) if (exclusive) hold(masks);
  // What is left beside exclusive groups is the mask of every new group: nobody chose it.
  const unchosen = new Map(
    [...root.keys()].map((id) => [id, without(fullMask(topology.ways), held.get(id) ?? 0)]),
  );
  for (const { masks, exclusive } of groups) {
    if (!exclusive) hold([...masks].filter(([id, mask]) => !isOpen(mask, unchosen.get(id), root.get(id))));
  }
  const ours = new Set(entries.filter((name) => names.isOurs(name)));
  return { root, ours, foreign: groups.map(({ name }) => name), foreignMasks: held };
}

/** A group that may fill all that root may, or all that there is, holds no ways: it shares everybody's. */
function isOpen(mask: number, unchosen: number | undefined, root: number | undefined): boolean {
  const covers = (other: number | undefined) => other !== undefined && intersect(mask, other) === other;
  return covers(unchosen) || covers(root);
}

/** Harmless when it is gone. */
export async function removeGroup(fs: ResctrlFs, group: string): Promise<void> {
  await nullIf(['ENOENT', 'ENODEV'], fs.rmdir(group));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Something was not there: a group, or all of resctrl. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ResctrlError && ['ENOENT', 'ENODEV', 'ENOTDIR', 'EIO'].includes(error.code);
}

/** Does `work` in a group. False when the group is gone: another program may remove it between any two steps. */
export async function unlessVanished(
  fs: ResctrlFs,
  group: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const exists = async () => (await readMasks(fs, group)) !== null;
  try {
    await work();
  } catch (error) {
    if (!isAbsent(error) || (await exists())) throw error;
  }
  return exists();
}

/** The allocator's state while we hold nothing. */
export function openState(
  { foreignMasks, foreign }: Survey,
  parts: { readonly topology: ResctrlTopology; readonly reserveWays: number; readonly limits: PoolLimits },
  root: { original(domain: number): number },
): WayState {
  const { topology, reserveWays, limits } = parts;
  const { ways, minWays: minBits, shareableBits: ioMask } = topology;
  const domains = topology.domains.map(({ id }) => {
    const [foreignMask, rootMask] = [foreignMasks.get(id) ?? 0, root.original(id)];
    return openDomain({ id, ways, minBits, ioMask, foreignMask, rootMask, reserveWays });
  });
  return openWays(closidsBeside(foreign, topology), domains, limits);
}

/** Classes of service that are ours: all but root's and those of other programs. */
export function closidsBeside(foreign: Survey['foreign'], { closids }: ResctrlTopology): number {
  return Math.max(0, closids - 1 - foreign.length);
}

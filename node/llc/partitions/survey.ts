/** Reads who holds what in resctrl: root's masks, our groups, and those of other programs. */
import { fullMask, intersect, unite, without } from '../masks.ts';
import { ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { formatSchemata, parseSchemata } from '../resctrl/schemata.ts';
import type { GroupNames } from './group-names.ts';

/** By domain id; with CDP, ways of data or code. */
export type Masks = ReadonlyMap<number, number>;

export interface Survey {
  readonly root: Masks;
  readonly ours: ReadonlySet<string>;
  readonly foreign: readonly { readonly name: string; readonly holdsWays: boolean }[];
  /** Ways that other programs hold. */
  readonly foreignMasks: Masks;
}

/** Entries of the root directory that are no groups. */
const CONTROL_FILES: ReadonlySet<string> = new Set([
  'cpus',
  'cpus_list',
  'info',
  'mode',
  'mon_data',
  'mon_groups',
  'schemata',
  'size',
  'tasks',
]);

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
  const hold = (masks: Masks) => {
    for (const [domain, mask] of masks) held.set(domain, unite(held.get(domain) ?? 0, mask));
  };
  for (const { masks, exclusive } of groups) if (exclusive) hold(masks);
  // What is left beside exclusive groups is the mask of every new group: nobody chose it.
  const unchosen = new Map(
    [...root.keys()].map((id) => [id, without(fullMask(topology.ways), held.get(id) ?? 0)]),
  );
  const foreign = groups.map(({ name, masks, exclusive }) => {
    const chosen = exclusive
      ? masks
      : new Map([...masks].filter(([id, mask]) => !isOpen(mask, unchosen.get(id), root.get(id))));
    hold(chosen);
    return { name, holdsWays: chosen.size > 0 };
  });
  return { root, ours: new Set(entries.filter((name) => names.isOurs(name))), foreign, foreignMasks: held };
}

/** A group that may fill all that root may, or all that there is, holds no ways: it shares everybody's. */
function isOpen(mask: number, unchosen: number | undefined, root: number | undefined): boolean {
  const covers = (other: number | undefined) => other !== undefined && intersect(mask, other) === other;
  return covers(unchosen) || covers(root);
}

export function inGroup(group: string, name: string): string {
  return group === '' ? name : `${group}/${name}`;
}

export async function readIfThere(fs: ResctrlFs, path: string): Promise<string | null> {
  try {
    return await fs.read(path);
  } catch (error) {
    const absent = ['ENOENT', 'ENOTDIR', 'ENODEV', 'EISDIR'];
    if (error instanceof ResctrlError && absent.includes(error.code)) return null;
    throw error;
  }
}

/** True when it was there. */
export async function removeGroup(fs: ResctrlFs, group: string): Promise<boolean> {
  try {
    await fs.rmdir(group);
    return true;
  } catch (error) {
    if (error instanceof ResctrlError && (error.code === 'ENOENT' || error.code === 'ENODEV')) return false;
    throw error;
  }
}

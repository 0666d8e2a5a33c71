/**
 * What a user of the machine reaches by itself. The daemon looks as root, whom no closed directory stops: what it finds
 * in one must neither be shown to programs nor be told apart from what isn't there.
 */
import { realpathSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { orNull } from '../../or-null.ts';
import { isInside } from './installation.ts';

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Nobody's ids: only what all users of the machine may do is left. */
export const ANYBODY: Ids = { uid: -1, gid: -1 };

/**
 * Where the absolute `path` leads; null where it leads nowhere, or where `who` may not search a directory above it, by
 * its name or by where that leads. Never into /proc, where links lead past closed directories into other processes.
 */
export function reach(path: string, who: Ids): string | null {
  return orNull(() => {
    const real = realpathSync(path);
    const places = [path, real];
    const open = places.every((place) => !isInside(place, '/proc') && isOpen(place, who));
    return open ? real : null;
  });
}

/** From the top down, the root included. */
export function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let parent = dirname(path); parents[0] !== parent; parent = dirname(parent)) parents.unshift(parent);
  return parents;
}

const isOpen = (path: string, who: Ids): boolean =>
  parentsOf(path).every((parent) => maySearch(statSync(parent), who));

/** As the kernel decides (path_resolution(7)): the first class that fits counts alone. */
function maySearch({ mode, uid, gid }: Stats, who: Ids): boolean {
  if (who.uid === 0) return true;
  if (who.uid === uid) return (mode & 0o100) !== 0;
  if (who.gid === gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

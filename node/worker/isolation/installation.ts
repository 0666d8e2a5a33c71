/**
 * What a program outside the system directories needs to start: its installation. The sandbox shows whole directories,
 * but never one that holds more than programs: a home directory, the data of the node, or a root of these. Pure.
 */
import { basename, dirname, join } from 'node:path';

/** Shown by the sandbox as they are. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/gnu/store'];
/** Of an installation in a directory that holds other things, too. */
const PARTS = ['bin', 'sbin', 'lib', 'lib64', 'libexec'];

export function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

export function isSystemPath(path: string): boolean {
  return SYSTEM.some((directory) => isInside(path, directory));
}

export interface PrivatePlaces {
  readonly homes: readonly string[];
  /** What no program may see: data directory, working directories. */
  readonly hidden: readonly string[];
}

/**
 * Directories to show for programs in `directory` (absolute, without symbolic links); empty when it is a system
 * directory, or one that can't be shown without showing what is private.
 */
export function installationOf(directory: string, places: PrivatePlaces): string[] {
  if (isSystemPath(directory)) return [];
  const prefix = dirname(directory);
  const name = basename(directory);
  const holdsPrograms = ['bin', 'sbin', '.bin', 'shims'].includes(name);
  if (holdsPrograms && !isPrivate(prefix, places)) {
    // ~/.local, ~/.cargo and the like hold settings and secrets beside the programs.
    if (name === 'shims' || !isDotDirectoryOfHome(prefix, places)) return [prefix];
  }
  if (name === 'bin' || name === 'sbin') {
    return PARTS.map((part) => join(prefix, part)).filter((part) => !isPrivate(part, places));
  }
  return isPrivate(directory, places) ? [] : [directory];
}

function isPrivate(directory: string, { homes, hidden }: PrivatePlaces): boolean {
  if (directory === '/' || (dirname(directory) === '/' && directory !== '/opt')) return true;
  // Another user's home is no less private for not being known here.
  if (dirname(directory) === '/home') return true;
  if (homes.some((home) => isInside(home, directory))) return true;
  return hidden.some((place) => isInside(place, directory) || isInside(directory, place));
}

function isDotDirectoryOfHome(directory: string, { homes }: PrivatePlaces): boolean {
  return homes.includes(dirname(directory)) && basename(directory).startsWith('.');
}

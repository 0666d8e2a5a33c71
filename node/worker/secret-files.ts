/**
 * Secrets of runs, as files that only their program can read: each run has a directory that is the daemon's, on a file
 * system in memory where there is one, and never inside of what the program may write. Where it is follows from the
 * working directory, so that whoever sweeps after a daemon that is dead finds it, too.
 */
import { chmod, chown, lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Secret } from '../../protocols/schema/secret.ts';
import { type Owner, tagOf } from './work-directory.ts';

/** For the runs that work in directories of `root`; beside those where memory can't be had. */
const placesFor = (root: string): string[] => [
  join('/dev/shm', `fsched-${tagOf(root)}`),
  join(root, '.secrets'),
];

/**
 * The directory with the files, in place of what has its name.
 * @param directory where the run works, without symbolic links
 */
export async function placeSecrets(
  directory: string,
  secrets: readonly Secret[],
  owner: Owner,
): Promise<string> {
  const path = join(await makePlace(dirname(directory)), basename(directory));
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { mode: 0o700 });
  for (const { name, value } of secrets) {
    const file = join(path, name);
    await writeFile(file, value, { mode: 0o400, flag: 'wx' });
    if (owner !== null) await chown(file, owner.uid, owner.gid);
  }
  // Last: it stays the daemon's, so that the program can neither add to it nor put anything in its place.
  if (owner !== null) {
    await chown(path, -1, owner.gid);
    await chmod(path, 0o750);
  }
  return path;
}

/** Those of a run that is over, if it had any. */
export async function removeSecrets(directory: string): Promise<void> {
  for (const place of placesFor(dirname(directory)))
    if (await isOurs(place)) await rm(join(place, basename(directory)), { recursive: true, force: true });
}

/** Those of all runs that worked in directories of `root`, none of which is left. */
export async function clearSecrets(root: string): Promise<void> {
  for (const place of placesFor(root))
    if (await isOurs(place)) await rm(place, { recursive: true, force: true });
}

async function makePlace(root: string): Promise<string> {
  let fault: unknown;
  for (const place of placesFor(root)) {
    try {
      await mkdir(place).catch(async (error: unknown) => {
        if (!(await isOurs(place))) throw error;
      });
      // Others may pass through, and only that.
      await chmod(place, 0o711);
      return place;
    } catch (error) {
      fault = error;
    }
  }
  throw fault;
}

/** Everybody may make directories in memory, also one that has our name. */
async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.geteuid?.();
}

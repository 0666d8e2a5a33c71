/** The directories that programs run in: `ROOT/<run>-<attempt>`, each with a file beside it that names its process. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, copyFile, mkdir, readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readBootId, readProcess } from '../procfs.ts';
import type { AttemptMarks } from './reaper.ts';
import { removeTree } from './remove-tree.ts';

/** Names what belongs to one node of this machine, the same after each start. */
export function tagOf(directory: string): string {
  return createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 12);
}

/** Where programs of another user work for a node whose own `directory` is closed to them. */
export function openWorkDirectory(directory: string): string {
  return join('/var/lib/fsched', `work-${tagOf(directory)}`);
}

/** Whom files of a program are given to; null: they stay the daemon's. */
export type Owner = { readonly uid: number; readonly gid: number } | null;

/** @param root without symbolic links */
export function workDirectoryOf(root: string, runId: string, attempt: number): string {
  if (!/^[\w.-]{1,128}$/.test(runId)) throw new Error('the name of the run is not usable as a file name');
  return join(root, `${runId}-${attempt}`);
}

/**
 * Makes an empty directory, mode 0700, in place of what has its name. Resolves to its path without symbolic links. It
 * is the daemon's until all that the daemon puts into it is in, and then handed over (`giveTo`): from there on nothing
 * in it is reached by its name with the daemon's rights.
 */
export async function makeWorkDirectory(root: string, runId: string, attempt: number): Promise<string> {
  const directory = workDirectoryOf(await realpath(root), runId, attempt);
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch {
    await removeTree(directory);
    await mkdir(directory, { mode: 0o700 });
  }
  return directory;
}

/** Copies the task's file (sharing its blocks where the file system can) and makes it executable. */
export async function placeTaskFile(
  source: string,
  directory: string,
  fileName: string,
  owner: Owner,
): Promise<string> {
  const path = join(directory, fileName);
  await copyFile(source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(path, 0o700);
  if (owner !== null) await chown(path, owner.uid, owner.gid);
  return path;
}

export async function giveTo(owner: Owner, directory: string): Promise<void> {
  if (owner !== null) await chown(directory, owner.uid, owner.gid);
}

export async function recordRoot(
  directory: string,
  root: { pid: number; startTicks: number },
): Promise<void> {
  await writeFile(`${directory}.pid`, JSON.stringify({ ...root, bootId: readBootId() }), { mode: 0o600 });
}

/** The attempts whose directories or records an earlier start of the daemon left in `root`. */
export async function findLeftovers(root: string): Promise<AttemptMarks[]> {
  const base = await realpath(root);
  const names = new Set((await readdir(base)).map((name) => name.replace(/\.(?:pid|in)$/, '')));
  const found = [...names].flatMap((name) => {
    const match = /^(.+)-(\d+)$/.exec(name);
    return match === null ? [] : [{ name, runId: match[1] as string, attempt: Number(match[2]) }];
  });
  return Promise.all(
    found.map(async ({ name, runId, attempt }) => {
      const directory = join(base, name);
      return { runId, attempt, directory, root: await readRoot(directory), user: null };
    }),
  );
}

/**
 * Null when the record is missing or unreadable, or the process is gone: its number may since have been another's,
 * so that a group of that number is not surely ours.
 */
async function readRoot(directory: string): Promise<AttemptMarks['root']> {
  try {
    const record: unknown = JSON.parse(await readFile(`${directory}.pid`, 'utf8'));
    if (typeof record !== 'object' || record === null) return null;
    const { pid, startTicks, bootId } = record as Record<string, unknown>;
    if (typeof pid !== 'number' || pid <= 1 || typeof startTicks !== 'number') return null;
    const same = bootId === readBootId() && readProcess(pid)?.startTicks === startTicks;
    return same ? { pid, startTicks } : null;
  } catch {
    return null;
  }
}

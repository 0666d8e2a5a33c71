/** Threads in groups. A write to `tasks` moves one thread; what it forks or clones afterwards follows it. */
import { inGroup, nullIf, type ResctrlFs } from '../resctrl/port.ts';
import { type Standing, unenforced } from './types.ts';

/** Ids of the living threads of a process; none when it is gone. */
export type ThreadsOf = (pid: number) => Promise<readonly number[]>;

/** A process that makes threads faster than they are moved is given up after so many rounds. */
const MAX_ROUNDS = 16;

export async function readTasks(fs: ResctrlFs, group: string): Promise<Set<number>> {
  const text = await fs.read(inGroup(group, 'tasks'));
  return new Set(text.split('\n').filter(Boolean).map(Number));
}

/** Harmless when that thread is gone. */
async function moveThread(fs: ResctrlFs, group: string, tid: number): Promise<void> {
  await nullIf(['ESRCH'], fs.write(inGroup(group, 'tasks'), `${tid}\n`));
}

/**
 * Threads of `pid` that are not in the group. Threads come and go meanwhile: one that came after the first look is in
 * its creator's group, and one that is gone at the last look is in none.
 */
export async function strayThreads(
  fs: ResctrlFs,
  group: string,
  pid: number,
  threadsOf: ThreadsOf,
): Promise<number[]> {
  const before = await threadsOf(pid);
  const inside = await readTasks(fs, group);
  const missing = before.filter((tid) => !inside.has(tid));
  if (missing.length === 0) return [];
  const after = new Set(await threadsOf(pid));
  return missing.filter((tid) => after.has(tid));
}

/** Moves all threads of a process through `groups` one after the other. Returns those that are not in the last. */
export async function moveProcess(
  fs: ResctrlFs,
  groups: readonly string[],
  pid: number,
  threadsOf: ThreadsOf,
): Promise<number[]> {
  let strays: number[] = [pid];
  for (let round = 0; round < MAX_ROUNDS && strays.length > 0; round++) {
    for (const tid of strays) for (const group of groups) await moveThread(fs, group, tid);
    strays = await strayThreads(fs, groups.at(-1) ?? '', pid, threadsOf);
  }
  return strays;
}

/** Moves everybody in a group to another one. False when it did not empty. */
export async function emptyInto(fs: ResctrlFs, from: string, to: string): Promise<boolean> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const inside = await readTasks(fs, from);
    if (inside.size === 0) return true;
    for (const tid of inside) await moveThread(fs, to, tid);
  }
  return false;
}

export function outside(pid: number, tids: readonly number[]): Standing {
  return unenforced(`threads ${tids.join(', ')} of process ${pid} are outside of its group`);
}

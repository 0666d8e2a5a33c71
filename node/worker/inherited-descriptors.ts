/**
 * Descriptors that would leak into programs: those that this process was itself started with (a lock, or a pipe that
 * somebody waits on), and those that LevelDB opens, a new one for each 4 MiB of the Raft log, at any time.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC in the octal flags of /proc/PID/fdinfo (proc_pid_fdinfo(5)); all that Node opens bears it; what native code opens may not. */
const CLOSE_ON_EXEC = 0o2000000;

/** Those above the standard streams that a program would get, ascending. */
export function findInheritableDescriptors(): number[] {
  return listDescriptors()
    .filter((fd) => fd > 2 && isInheritable(fd))
    .sort((a, b) => a - b);
}

/** Entries of `stdio` from the third on that put `nullFd` in the place of each of `descriptors`; Node can't close them. */
export function maskDescriptors(descriptors: readonly number[], nullFd: number): ('ignore' | number)[] {
  const last = descriptors.at(-1) ?? 2;
  return Array.from({ length: last - 2 }, (_, index) =>
    descriptors.includes(index + 3) ? nullFd : 'ignore',
  );
}

function listDescriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // The one that listed the directory is closed by now.
    return false;
  }
}

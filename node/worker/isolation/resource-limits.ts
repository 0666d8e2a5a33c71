/** Limits that the kernel holds per process or per user (getrlimit(2)), set by `prlimit`; control groups hold more. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { RunLimits } from './types.ts';

export interface ResourceContext {
  /** Whether a control group holds memory and processes of the run. */
  readonly cgroup: boolean;
  /**
   * Processes that count before the first of the run: the kernel counts all of one user, in one user namespace.
   * Null: the limit is of no effect for this user (root).
   */
  readonly counted: number | null;
  /** Open files can't be raised beyond what the daemon has. */
  readonly openFilesCeiling: number;
}

/** Arguments for `prlimit`. Core files are never written: they would hold memory of the program, and fill the disk. Pure. */
export function prlimitArguments(limits: RunLimits, context: ResourceContext): string[] {
  const options = ['--core=0:0'];
  const { openFiles, memoryBytes, processes } = limits;
  if (openFiles !== null) {
    const count = Math.min(openFiles, context.openFilesCeiling);
    options.push(`--nofile=${count}:${count}`);
  }
  if (context.cgroup) return options;
  // Not the address space: run-times reserve far more of it than they ever use.
  if (memoryBytes !== null) options.push(`--data=${memoryBytes}:${memoryBytes}`);
  if (processes !== null && context.counted !== null) {
    const count = processes + context.counted;
    options.push(`--nproc=${count}:${count}`);
  }
  return options;
}

/** The hard limit of open files of this process. */
export function readOpenFilesCeiling(): number {
  try {
    const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return hard === undefined || hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** Threads of all processes of `uid`, as the kernel counts them for RLIMIT_NPROC; 0 where there is no `/proc`. */
export function countTasks(uid: number): number {
  let count = 0;
  for (const name of listPids()) {
    try {
      if (statSync(`/proc/${name}`).uid !== uid) continue;
      count += Number(/^Threads:\s*(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1] ?? 1);
    } catch {
      // It has ended since.
    }
  }
  return count;
}

function listPids(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

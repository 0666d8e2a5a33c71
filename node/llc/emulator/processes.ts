/** Who runs on the machine, as far as the emulator must know: threads, who made them, and what their counters say. */
import { readdir, readFile } from 'node:fs/promises';

export interface ThreadInfo {
  readonly tid: number;
  /** The process that it belongs to. */
  readonly pid: number;
  /** Who forked or cloned it, who made that one, and so on, alive or not, as far as known. */
  readonly lineage: readonly number[];
}

export interface ProcessTable {
  /** Living threads in the order in which the kernel lists them: by process, oldest first. */
  threads(): Promise<readonly ThreadInfo[]>;
  /** The thread that writes: what 0 stands for in a write to `tasks`. */
  writer(): number;
}

export const COUNTERS = ['llc_occupancy', 'mbm_total_bytes', 'mbm_local_bytes'] as const;
export type CounterName = (typeof COUNTERS)[number];

/** Which counter of which group is asked for. Paths are as in the filesystem; '' is the root group. */
export interface CounterQuery {
  readonly group: string;
  readonly rmid: number;
  readonly domain: number;
  readonly counter: CounterName;
  /** Of the ways that it may fill there. */
  readonly bytes: number;
  /** Its processes, without those of its monitor groups. */
  readonly pids: ReadonlySet<number>;
}

/** Bytes, or null where the hardware has no value (`Unavailable`). */
export type CounterSource = (query: CounterQuery) => number | null | Promise<number | null>;

/** Enough to keep the disk-less reads going, few enough not to crowd out other work of the thread pool. */
const READS_AT_ONCE = 16;
const MAX_KEPT = 1024;

/** The real processes of this machine, from procfs: whole nodes run on the emulator with these. */
export class ProcProcesses implements ProcessTable {
  /** Parents of processes seen before: the first one told is who forked it, later ones only took it over. */
  #parents = new Map<number, number | null>();

  writer(): number {
    return process.pid;
  }

  /** Leaves out who ends while it is read. Who cloned a thread isn't told: its process stands in, and its parent. */
  async threads(): Promise<readonly ThreadInfo[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    pids.sort((left, right) => left - right);
    const parents = new Map<number, number | null>();
    const found: ThreadInfo[][] = [];
    for (let start = 0; start < pids.length; start += READS_AT_ONCE) {
      const batch = pids.slice(start, start + READS_AT_ONCE);
      found.push(...(await Promise.all(batch.map((pid) => this.#readProcess(pid, parents)))));
    }
    this.#parents = parents;
    return found.flat();
  }

  async #readProcess(pid: number, parents: Map<number, number | null>): Promise<ThreadInfo[]> {
    const known = this.#parents.get(pid);
    const [tids, parent] = await Promise.all([threadsOf(pid), known !== undefined ? known : readParent(pid)]);
    if (tids.length === 0) return [];
    parents.set(pid, parent);
    const lineage = parent === null ? [] : [parent];
    const ascending = tids.toSorted((left, right) => left - right);
    return ascending.map((tid) => ({ tid, pid, lineage: tid === pid ? lineage : [pid, ...lineage] }));
  }
}

/** Empty when the process is gone. */
export async function threadsOf(pid: number): Promise<readonly number[]> {
  const names = await readdir(`/proc/${pid}/task`).catch(() => []);
  return names.map(Number);
}

/**
 * What an emulated cache is said to hold: the resident memory of a group's processes, as far as it fits into their
 * ways. No measurement of any cache: it only gives whole nodes on the emulator something that moves as the real
 * counter does.
 */
export function residentMemory(): CounterSource {
  /** Lines stay when their process is gone. */
  const kept = new Map<string, number>();
  return async ({ counter, group, rmid, domain, bytes, pids }) => {
    // The root group's processes are all of the machine's; bandwidth can't be had from memory.
    if (counter !== 'llc_occupancy' || group === '') return null;
    const key = `${group} ${rmid} ${domain}`;
    const sizes = await Promise.all([...pids].map(residentBytes));
    const filled = Math.min(
      bytes,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    if (filled > 0 || !kept.has(key)) kept.set(key, filled);
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value ?? '');
    return kept.get(key) ?? 0;
  };
}

/** Field 4 of `stat`; the name before it, in parentheses, may itself contain spaces and parentheses. */
async function readParent(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  return Number.isInteger(parent) && parent > 0 ? parent : null;
}

/** 0 for a process that is gone. */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

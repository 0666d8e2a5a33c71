/**
 * What an emulated cache is said to hold: the resident memory of a group's processes, as far as it fits into their ways. No
 * measurement of any cache: it only gives whole nodes on the emulator something that moves as the real counter does.
 */
import { readFile } from 'node:fs/promises';
import type { CounterQuery, CounterSource } from '../emulator/kernel.ts';

/** Bandwidth can't be had from memory: `Unavailable`. */
export function residentMemory(options: { readonly procRoot?: string } = {}): CounterSource {
  const root = options.procRoot ?? '/proc';
  /** Lines stay when their process is gone. */
  const kept = new Map<string, number>();
  return async ({ counter, group, rmid, domain, bytes, pids }: CounterQuery) => {
    // The root group's processes are all of the machine's.
    if (counter !== 'llc_occupancy' || group === '') return null;
    const key = `${group} ${rmid} ${domain}`;
    const sizes = await Promise.all([...pids].map((pid) => residentBytes(root, pid)));
    const filled = Math.min(
      bytes,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    if (filled > 0 || !kept.has(key)) kept.set(key, filled);
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value ?? '');
    return kept.get(key) ?? 0;
  };
}

const MAX_KEPT = 1024;

/** 0 for a process that is gone. */
async function residentBytes(root: string, pid: number): Promise<number> {
  const status = await readFile(`${root}/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** The kernel's notation for sets of CPUs, as in `0-3,8`: kernel documentation, admin-guide/cputopology.rst. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Ascending, without doubles. Anything that isn't a number or a range is skipped: the kernel never writes it. */
export function parseCpuList(text: string): number[] {
  const cpus = new Set<number>();
  for (const part of text.trim().split(',')) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (range === null) continue;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** The shortest list that `parseCpuList` reads back. `cpus` is ascending. */
export function formatCpuList(cpus: readonly number[]): string {
  const parts: string[] = [];
  for (let start = 0; start < cpus.length; ) {
    let end = start;
    while (cpus[end + 1] === (cpus[end] ?? Number.NaN) + 1) end++;
    parts.push(end === start ? `${cpus[start]}` : `${cpus[start]}-${cpus[end]}`);
    start = end + 1;
  }
  return parts.join(',');
}

/** CPUs that this process may use, ascending; null when that is unknown. */
export async function readAllowedCpus(procRoot = '/proc'): Promise<readonly number[] | null> {
  const status = await readFile(join(procRoot, 'self/status'), 'utf8').catch(() => '');
  const cpus = parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '');
  return cpus.length > 0 ? cpus : null;
}

/** The real processes of this machine, from procfs: whole nodes run on the emulator with these. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessTable, ThreadInfo } from './process-table.ts';

/** Enough to keep the disk-less reads going, few enough not to crowd out other work of the thread pool. */
const READS_AT_ONCE = 16;

export class ProcProcesses implements ProcessTable {
  readonly #root: string;
  /** Parents of processes seen before: the first one told is who forked it, later ones only took it over. */
  #parents = new Map<number, number | null>();

  constructor(options: { readonly procRoot?: string } = {}) {
    this.#root = options.procRoot ?? '/proc';
  }

  writer(): number {
    return process.pid;
  }

  /** A process that ends while it is read is left out. Who cloned a thread isn't told: its process stands in, and its parent. */
  async threads(): Promise<readonly ThreadInfo[]> {
    const pids = (await readdir(this.#root)).filter((name) => /^\d+$/.test(name)).map(Number);
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
    const [tids, parent] = await Promise.all([
      readdir(join(this.#root, `${pid}/task`)).catch(() => []),
      known !== undefined ? known : this.#readParent(pid),
    ]);
    if (tids.length === 0) return [];
    parents.set(pid, parent);
    const lineage = parent === null ? [] : [parent];
    const ascending = tids.map(Number).sort((left, right) => left - right);
    return ascending.map((tid) => ({ tid, pid, lineage: tid === pid ? lineage : [pid, ...lineage] }));
  }

  /** Field 4 of `stat`; the name before it, in parentheses, may itself contain spaces and parentheses. */
  async #readParent(pid: number): Promise<number | null> {
    const stat = await readFile(join(this.#root, `${pid}/stat`), 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    return Number.isInteger(parent) && parent > 0 ? parent : null;
  }
}

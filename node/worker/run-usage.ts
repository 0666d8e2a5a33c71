/** What runs keep on disk and write to it, put together from their directories, processes and users. */
import { statSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { orNull } from '../or-null.ts';
import type { Clock } from '../ports.ts';
import { listProcesses, readOwner, readWrittenBytes } from '../procfs.ts';
import { type DiskUsage, type Member, measureShared, measureTrees, measureUnlinked } from './disk-usage.ts';
import { SHARED_DIRECTORIES } from './isolation/shared-places.ts';

/** What a run keeps, and what its processes have written, wherever that is. */
export interface RunUsage extends DiskUsage {
  readonly writtenBytes: number;
}

export interface MeasuredRun {
  /** Of its working directory. */
  readonly name: string;
  readonly pid: number;
  /** Its user, where that is no other run's; null: it shares it. */
  readonly uid: number | null;
  /** Whether it may also write where everybody may. */
  readonly reachesShared: boolean;
}

/** Files of /proc are read synchronously, so many in a row. */
const AT_A_TIME = 64;

/** Counting what lies in places that everybody may write takes as long as others have filled them. */
const SHARED = { everyMs: 10_000, pauses: 4 };

export interface RunCensusDependencies {
  /** Something new is known of what runs keep where everybody may write: it comes with the next count. */
  readonly onShared: () => void;
  readonly clock: Clock;
}

export class RunCensus {
  readonly #deps: RunCensusDependencies;
  #shared: ReadonlyMap<string, DiskUsage> = new Map();
  /** When (monotonic) it may be counted next. */
  #nextSharedMs = Number.NEGATIVE_INFINITY;

  constructor(dependencies: RunCensusDependencies) {
    this.#deps = dependencies;
  }

  /** By the name of the directory in `root`; without what could not be counted. */
  async measure(root: string, runs: readonly MeasuredRun[]): Promise<ReadonlyMap<string, RunUsage>> {
    void this.#countShared(runs);
    const device = orNull(() => statSync(root).dev);
    const members = await findMembers(runs);
    const names = runs.map(({ name }) => name);
    const [trees, unlinked, written] = await Promise.all([
      measureTrees(root, names),
      device === null ? null : measureUnlinked(members, device),
      sumWritten(members),
    ]);
    return new Map(
      [...(trees ?? [])].map(([name, tree]) => {
        const rest = [unlinked?.get(name), this.#shared.get(name)];
        return [name, { ...rest.reduce(add, tree), writtenBytes: written.get(name) ?? 0 }] as const;
      }),
    );
  }

  /** In the background: nothing waits for it. */
  async #countShared(runs: readonly MeasuredRun[]): Promise<void> {
    const { clock, onShared } = this.#deps;
    const loose = runs.flatMap(({ uid, name, reachesShared }) =>
      uid === null || !reachesShared ? [] : { uid, name },
    );
    const begunMs = clock.monotonicMs();
    if (loose.length === 0 || begunMs < this.#nextSharedMs) return;
    this.#nextSharedMs = Number.POSITIVE_INFINITY;
    this.#shared = (await measureShared(SHARED_DIRECTORIES, loose)) ?? new Map();
    const endedMs = clock.monotonicMs();
    this.#nextSharedMs = endedMs + Math.max(SHARED.everyMs, SHARED.pauses * (endedMs - begunMs));
    onShared();
  }
}

function add(sum: DiskUsage, usage: DiskUsage | undefined): DiskUsage {
  return usage === undefined ? sum : { bytes: sum.bytes + usage.bytes, files: sum.files + usage.files };
}

async function sumWritten(members: readonly Member[]): Promise<ReadonlyMap<string, number>> {
  const written = new Map<string, number>();
  for (const [index, { pid, name }] of members.entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await breathe();
    written.set(name, (written.get(name) ?? 0) + readWrittenBytes(pid));
  }
  return written;
}

/** All descendants of the first process of each run, its group and session, and what has its user. */
async function findMembers(runs: readonly MeasuredRun[]): Promise<Member[]> {
  const processes = (await listProcesses(0))?.entries ?? [];
  const nameOf = new Map(runs.map(({ pid, name }) => [pid, name]));
  const userOf = new Map(runs.flatMap(({ uid, name }) => (uid === null ? [] : [[uid, name] as const])));
  for (const [index, { pid }] of userOf.size === 0 ? [] : processes.entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await breathe();
    const name = userOf.get(readOwner(pid) ?? -1);
    if (name !== undefined) nameOf.set(pid, name);
  }
  for (let before = -1; before !== nameOf.size; ) {
    before = nameOf.size;
    for (const { pid, parent, group, session } of processes) {
      const name = nameOf.get(pid) ?? nameOf.get(parent) ?? nameOf.get(group) ?? nameOf.get(session);
      if (name !== undefined) nameOf.set(pid, name);
    }
  }
  return [...nameOf].map(([pid, name]) => ({ pid, name }));
}

/** What runs keep on disk and write to it, put together from their directories, processes, groups and users. */
import { statSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { orNull } from '../or-null.ts';
import { listProcesses, readOwner, readWrittenBytes } from '../procfs.ts';
import { atATime } from './at-a-time.ts';
import { type Bounds, type Count, measureTree, measureUnlinked } from './disk-usage.ts';
import { SHARED_DIRECTORIES } from './isolation/shared-places.ts';
import type { SharedCensus } from './shared-usage.ts';

/** What a run keeps, and what its processes have written, wherever that is. */
export interface RunUsage extends Count {
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
  /** What its control group has written to disks; 0 where nobody counts that. */
  readonly readWrittenBytes: () => number;
}

/** Files of /proc are read synchronously, so many in a row. */
const AT_A_TIME = 64;
/** Runs that are counted at the same time, each by processes of its own: none keeps the others from being counted. */
const LANES = 4;
/**
 * As many files as a run may keep are counted in far less, on a slow disk too. Where they aren't limited there may be
 * many more, and a run is waited for.
 */
const LIMIT_MS = { limited: 10_000, unlimited: 60_000 };

export interface RunCensusDependencies {
  readonly shared: Pick<SharedCensus, 'of'>;
}

export class RunCensus {
  readonly #bounds: Bounds;
  readonly #deps: RunCensusDependencies;

  /** @param files that a run may keep: nobody needs to know how many more there are */
  constructor({ files }: Pick<Bounds, 'files'>, dependencies: RunCensusDependencies) {
    this.#bounds = { files, ms: files === null ? LIMIT_MS.unlimited : LIMIT_MS.limited };
    this.#deps = dependencies;
  }

  /**
   * Counts runs that work in directories of `root`, and tells what each keeps as soon as that is known; null: no count
   * could be begun.
   */
  async measure(
    root: string,
    runs: readonly MeasuredRun[],
    onCounted: (name: string, usage: RunUsage | null) => void,
  ): Promise<void> {
    const members = await findMembers(runs);
    await atATime(LANES, runs, async (run) => {
      onCounted(run.name, await this.#count(root, run, members.get(run.name) ?? []));
    });
  }

  async #count(root: string, run: MeasuredRun, pids: readonly number[]): Promise<RunUsage | null> {
    const [tree, unlinked, written] = await Promise.all([
      measureTree(root, run.name, this.#bounds),
      measureUnlinked(
        pids,
        devicesOf([root, ...(run.reachesShared ? SHARED_DIRECTORIES : [])]),
        this.#bounds,
      ),
      sumWritten(pids),
    ]);
    if (tree === null) return null;
    const shared = this.#deps.shared.of(run.name);
    return {
      bytes: tree.bytes + (unlinked?.bytes ?? 0) + shared.bytes,
      files: tree.files + (unlinked?.files ?? 0) + shared.files,
      // Of shared places others may be to blame.
      isWhole: tree.isWhole && unlinked?.isWhole !== false,
      // The group knows what processes wrote that nobody has waited for, but later, when it gets to the disk.
      writtenBytes: Math.max(written, run.readWrittenBytes()),
    };
  }
}

function devicesOf(paths: readonly string[]): ReadonlySet<number> {
  return new Set(paths.flatMap((path) => orNull(() => statSync(path).dev) ?? []));
}

async function sumWritten(pids: readonly number[]): Promise<number> {
  let written = 0;
  for (const [index, pid] of pids.entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await breathe();
    written += readWrittenBytes(pid);
  }
  return written;
}

/** All descendants of the first process of each run, its group and session, and what has its user. */
async function findMembers(runs: readonly MeasuredRun[]): Promise<ReadonlyMap<string, readonly number[]>> {
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
  const members = new Map<string, number[]>(runs.map(({ name }) => [name, []]));
  for (const [pid, name] of nameOf) members.get(name)?.push(pid);
  return members;
}

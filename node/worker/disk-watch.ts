/**
 * Holds runs to what they may keep on disk, and keeps them from filling it. There is no quota that every file system
 * has and a daemon without native code can set, so it watches: what is free is asked for several times a second, which
 * costs next to nothing, and what runs keep is counted when enough of it has gone, or time has. A run may exceed its
 * limit by what it writes within a look and a count; a single file is held to the limit by the kernel (RLIMIT_FSIZE).
 * Below the reserve of the node the runs that still grow are ended, the largest first.
 */
import { basename, dirname } from 'node:path';
import type { DiskReserve } from '../disk/reserve.ts';
import { mebibytes, type ReadSpace } from '../disk/space.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { type MeasuredRun, RunCensus, type RunUsage } from './run-usage.ts';

export interface DiskLimits {
  /** Null: not limited. */
  readonly bytes: number | null;
  /** Files and directories; null: not limited. */
  readonly files: number | null;
}

/** What is known of one run. */
export interface WatchedRun extends Omit<MeasuredRun, 'name'> {
  /** Its working directory. */
  readonly directory: string;
  /** What the node itself put there. */
  readonly startBytes: number;
  /** Ends the run; called once, with the reason. */
  readonly end: (why: string) => void;
}

export interface DiskWatchDependencies {
  readonly reserve: Pick<DiskReserve, 'look' | 'room'>;
  readonly readSpace: ReadSpace;
  /** @default a census of this machine */
  readonly measure?: RunCensus['measure'];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What was free, and when (monotonic). */
interface Reading {
  readonly freeBytes: number;
  readonly freeFiles: number;
  readonly atMs: number;
}

const LOOK_MS = 250;
/** What a run keeps is counted at least so often, in case that others freed what it took. */
const COUNT_MS = 10_000;
/** Counting costs more than it is worth for less than this. */
const LEAST_STEP = { bytes: 16 * 1024 ** 2, files: 4_096 };
/** A run that keeps no more than this beyond what it kept while there was room isn't what fills the disk. */
const GROWTH_BYTES = 1024 ** 2;
/** And this much it may write: to files that it deletes, or, without a sandbox, elsewhere. */
const WRITTEN_BYTES = 16 * 1024 ** 2;
/** So long the end of one run is waited for before the next is ended. */
const ENDING_MS = 2_000;

interface Entry {
  readonly run: WatchedRun;
  readonly name: string;
  usage: RunUsage;
  /** When there was still room. */
  calm: RunUsage;
  /** When (monotonic) it was ended; null: it goes on. */
  endedAtMs: number | null;
}

export class DiskWatch {
  readonly #limits: DiskLimits;
  readonly #deps: Required<DiskWatchDependencies>;
  readonly #entries = new Set<Entry>();
  #stop: Cancel | null = null;
  #looking: Promise<void> | null = null;
  /** At the last count. */
  #counted: Reading | null = null;

  constructor(limits: DiskLimits, dependencies: DiskWatchDependencies) {
    const { clock } = dependencies;
    const onShared = (): void => {
      this.#counted = null;
    };
    const census = new RunCensus({ clock, onShared });
    this.#limits = limits;
    this.#deps = { measure: census.measure.bind(census), ...dependencies };
  }

  /** Until it is cancelled, when nothing of the run is left. */
  watch(run: WatchedRun): Cancel {
    const usage = { bytes: run.startBytes, files: 1, writtenBytes: 0 };
    const entry: Entry = { run, name: basename(run.directory), usage, calm: usage, endedAtMs: null };
    this.#entries.add(entry);
    this.#stop ??= this.#deps.clock.every(LOOK_MS, () => void this.look());
    return () => {
      this.#entries.delete(entry);
      if (this.#entries.size > 0) return;
      this.#stop?.();
      this.#stop = null;
      this.#counted = null;
    };
  }

  /** Looks now, as when something finds the disk full. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        this.#deps.logger.warn({ err: error }, 'what runs keep on disk could not be counted');
      })
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const [first] = this.#entries;
    if (first === undefined) return;
    const { reserve, readSpace, clock, measure } = this.#deps;
    const root = dirname(first.run.directory);
    const [space] = await Promise.all([readSpace(root), reserve.look()]);
    const isLow = reserve.room?.isLow === true;
    const now = {
      freeBytes: space?.freeBytes ?? 0,
      freeFiles: space?.freeFiles ?? 0,
      atMs: clock.monotonicMs(),
    };
    if (!isLow && !this.#isDue(now)) return;
    this.#counted = now;
    const entries = [...this.#entries];
    const usages = await measure(
      root,
      entries.map(({ name, run }) => ({ ...run, name })),
    );
    for (const entry of entries) {
      entry.usage = usages.get(entry.name) ?? entry.usage;
      if (!isLow) entry.calm = entry.usage;
      const why = entry.endedAtMs === null ? this.#excess(entry.usage) : null;
      if (why !== null) this.#end(entry, why);
    }
    if (isLow) this.#relieve();
  }

  #isDue(now: Reading): boolean {
    const before = this.#counted;
    if (before === null || now.atMs - before.atMs >= COUNT_MS) return true;
    // The more a run keeps already, the less must go until it is counted again.
    const usages = [...this.#entries].map(({ usage }) => usage);
    const { bytes, files } = this.#limits;
    const step = (limit: number | null, kept: readonly number[], least: number): number =>
      limit === null
        ? Number.POSITIVE_INFINITY
        : Math.max(Math.min(least, limit / 8), (limit - Math.max(...kept)) / 2);
    const byBytes = step(
      bytes,
      usages.map((usage) => usage.bytes),
      LEAST_STEP.bytes,
    );
    const byFiles = step(
      files,
      usages.map((usage) => usage.files),
      LEAST_STEP.files,
    );
    return before.freeBytes - now.freeBytes >= byBytes || before.freeFiles - now.freeFiles >= byFiles;
  }

  #excess({ bytes, files }: RunUsage): string | null {
    const { bytes: maxBytes, files: maxFiles } = this.#limits;
    if (maxBytes !== null && bytes > maxBytes)
      return `the run kept more than ${mebibytes(maxBytes)} on disk (${mebibytes(bytes)}), which is what a run may on this node; let it write less, or raise --disk-limit`;
    if (maxFiles !== null && files > maxFiles)
      return `the run kept more than ${maxFiles} files (${files}), which is what a run may on this node; let it make fewer, or raise --file-limit`;
    return null;
  }

  /** One after the other: the end of one may be enough. */
  #relieve(): void {
    const now = this.#deps.clock.monotonicMs();
    const entries = [...this.#entries];
    if (entries.some(({ endedAtMs }) => endedAtMs !== null && now - endedAtMs < ENDING_MS)) return;
    const growing = entries.filter((entry) => entry.endedAtMs === null && isGrowing(entry));
    const [largest] = growing.toSorted(({ usage: left }, { usage: right }) =>
      left.bytes === right.bytes ? right.writtenBytes - left.writtenBytes : right.bytes - left.bytes,
    );
    if (largest === undefined) return;
    const kept = mebibytes(largest.usage.bytes);
    this.#end(
      largest,
      `the run was ended because the disk of its node was nearly full: of the runs that still wrote it kept the most there, ${kept}; let it write less, or make room on the node`,
    );
  }

  #end(entry: Entry, why: string): void {
    entry.endedAtMs = this.#deps.clock.monotonicMs();
    const { name, usage } = entry;
    this.#deps.logger.warn({ run: name, ...usage }, 'run ended for what it keeps on disk');
    entry.run.end(why);
  }
}

const isGrowing = ({ usage, calm }: Entry): boolean =>
  usage.bytes - calm.bytes >= GROWTH_BYTES || usage.writtenBytes - calm.writtenBytes >= WRITTEN_BYTES;

/**
 * Holds runs to what they may keep on disk, and keeps them from filling it. There is no quota that every file system
 * has and a daemon without native code can set, so it watches: what is free is asked for several times a second, which
 * costs next to nothing, and what runs keep is counted when enough of it has gone, or time has. A run may exceed its
 * limit by what it writes within a look and a count; a single file is held to the limit by the kernel (RLIMIT_FSIZE).
 * Each is counted by itself, and one that makes its count last is ended: it would be watched by nobody. Below the
 * reserve of the node the runs that still grow are ended, the largest first, by what is known of them at each look; and
 * when the disk fills on though none is seen to grow, one after the other all the same: a program may know a way to
 * write that isn't counted, and the log of the node must not wait for it.
 */
import { basename, dirname } from 'node:path';
import type { DiskReserve } from '../disk/reserve.ts';
import { mebibytes, type ReadSpace } from '../disk/space.ts';
import type { Cancel, Clock, Logger } from '../ports.ts';
import { measureShared, type Person } from './disk-usage.ts';
import { SHARED_DIRECTORIES } from './isolation/shared-places.ts';
import { type MeasuredRun, RunCensus, type RunUsage } from './run-usage.ts';
import { SharedCensus } from './shared-usage.ts';

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
/** A new file takes room, too, even an empty one. */
const GROWTH_FILES = 256;
/** The disk fills on when so much goes within `FALLING_MS` below the reserve; the log itself takes less. */
const FALLING_BYTES = 16 * 1024 ** 2;
const FALLING_MS = 10_000;
/** Less than this is nothing: the log can't go on. */
const NOTHING_BYTES = 1024 ** 2;
/** So many counts of a run may be cut, one after the other: the machine may have been busy. */
const CUTS = 2;
/** So long the end of one run is waited for before the next is ended. */
const ENDING_MS = 2_000;

interface Entry {
  readonly run: WatchedRun;
  readonly name: string;
  usage: RunUsage;
  /** When there was still room. */
  calm: RunUsage;
  /** Since when (monotonic) it is being counted; null: it isn't. */
  countedSinceMs: number | null;
  /** Counts that were cut, one after the other, up to the last. */
  cuts: number;
  /** Whether the last count could not even be begun. */
  isUnknown: boolean;
  /** When (monotonic) it was ended; null: it goes on. */
  endedAtMs: number | null;
}

export class DiskWatch {
  readonly #limits: DiskLimits;
  readonly #deps: Required<DiskWatchDependencies>;
  readonly #shared: SharedCensus;
  readonly #entries = new Set<Entry>();
  #stop: Cancel | null = null;
  #looking: Promise<void> | null = null;
  /** At the last count. */
  #counted: Reading | null = null;
  /** While the disk is nearly full: since when it is looked whether it fills on, and the last look. */
  #low: { since: Reading; now: Reading } | null = null;

  constructor(limits: DiskLimits, dependencies: DiskWatchDependencies) {
    const onCounted = (): void => {
      this.#counted = null;
    };
    const { bytes, files } = limits;
    const step = {
      bytes: Math.min(LEAST_STEP.bytes, (bytes ?? Number.POSITIVE_INFINITY) / 8),
      files: Math.min(LEAST_STEP.files, (files ?? Number.POSITIVE_INFINITY) / 8),
    };
    this.#shared = new SharedCensus(
      { places: SHARED_DIRECTORIES, files, step },
      { ...dependencies, onCounted, measure: measureShared },
    );
    const census = new RunCensus({ files }, { shared: this.#shared });
    this.#limits = limits;
    this.#deps = { measure: census.measure.bind(census), ...dependencies };
  }

  /** What its operator must know; null: nothing. */
  get trouble(): string | null {
    const unknown = [...this.#entries].filter(({ isUnknown }) => isUnknown).length;
    if (unknown === 0) return this.#shared.trouble;
    return `what ${unknown} runs keep on disk can't be counted, since find can't be started: see whether processes, descriptors or memory have run out`;
  }

  /** Until it is cancelled, when nothing of the run is left. */
  watch(run: WatchedRun): Cancel {
    const usage = { bytes: run.startBytes, files: 1, writtenBytes: 0, isWhole: true };
    const entry: Entry = {
      run,
      name: basename(run.directory),
      usage,
      calm: usage,
      countedSinceMs: null,
      cuts: 0,
      isUnknown: false,
      endedAtMs: null,
    };
    this.#entries.add(entry);
    this.#stop ??= this.#deps.clock.every(LOOK_MS, () => void this.look());
    return () => {
      this.#entries.delete(entry);
      if (this.#entries.size > 0) return;
      this.#stop?.();
      this.#stop = null;
      this.#counted = null;
      this.#low = null;
      void this.#shared.look([]);
    };
  }

  /** Looks now, as when something finds the disk full. Counts that it begins aren't waited for. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        this.#deps.logger.warn({ err: error }, 'the disk of runs could not be looked at');
      })
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const [first] = this.#entries;
    if (first === undefined) return;
    const { reserve, readSpace, clock } = this.#deps;
    const root = dirname(first.run.directory);
    const [space] = await Promise.all([readSpace(root), reserve.look(), this.#shared.look(this.#people())]);
    const now = {
      freeBytes: space?.freeBytes ?? Number.POSITIVE_INFINITY,
      freeFiles: space?.freeFiles ?? 0,
      atMs: clock.monotonicMs(),
    };
    if (reserve.room?.isLow === true) {
      const since =
        this.#low === null || now.atMs - this.#low.since.atMs > FALLING_MS ? now : this.#low.since;
      this.#low = { since, now };
    } else this.#low = null;
    if (this.#low !== null || this.#isDue(now)) void this.#count(root, now);
    // By what is known: a count may take its time, and the disk doesn't wait for it.
    this.#relieve();
  }

  /** Whose files are looked for where everybody may write. */
  #people(): readonly Person[] {
    return [...this.#entries].flatMap(({ run: { uid, reachesShared }, name, endedAtMs }) =>
      uid === null || !reachesShared || endedAtMs !== null ? [] : { uid, name },
    );
  }

  /** All runs but those that are still being counted. */
  async #count(root: string, now: Reading): Promise<void> {
    this.#counted = now;
    const entries = new Map(
      [...this.#entries]
        .filter(({ endedAtMs, countedSinceMs }) => endedAtMs === null && countedSinceMs === null)
        .map((entry) => [entry.name, entry]),
    );
    if (entries.size === 0) return;
    for (const entry of entries.values()) entry.countedSinceMs = now.atMs;
    const runs = [...entries.values()].map(({ name, run }) => ({ ...run, name }));
    try {
      await this.#deps.measure(root, runs, (name, usage) => {
        const entry = entries.get(name);
        if (entry !== undefined) this.#judge(entry, usage);
      });
    } catch (error) {
      this.#deps.logger.warn({ err: error }, 'what runs keep on disk could not be counted');
    } finally {
      // Those that weren't come to; others may be in a later count by now.
      for (const entry of entries.values())
        if (entry.countedSinceMs === now.atMs) entry.countedSinceMs = null;
    }
    this.#relieve();
  }

  #judge(entry: Entry, usage: RunUsage | null): void {
    entry.countedSinceMs = null;
    entry.isUnknown = usage === null;
    if (usage === null) return;
    entry.usage = usage;
    entry.cuts = usage.isWhole ? 0 : entry.cuts + 1;
    if (this.#low === null) entry.calm = usage;
    const why = entry.endedAtMs === null ? this.#excess(entry) : null;
    if (why !== null) this.#end(entry, why);
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

  #excess({ usage: { bytes, files, isWhole }, cuts }: Entry): string | null {
    const { bytes: maxBytes, files: maxFiles } = this.#limits;
    const least = isWhole ? '' : 'at least ';
    if (maxBytes !== null && bytes > maxBytes)
      return `the run kept more than ${mebibytes(maxBytes)} on disk (${least}${mebibytes(bytes)}), which is what a run may on this node; let it write less, or raise --disk-limit`;
    if (maxFiles !== null && files > maxFiles)
      return `the run kept more than ${maxFiles} files (${least}${files}), which is what a run may on this node; let it make fewer, or raise --file-limit`;
    if (cuts >= CUTS && (maxBytes !== null || maxFiles !== null))
      return `what the run kept on disk could not be counted in time (at least ${mebibytes(bytes)} in ${files} files); let it make fewer files and directories, and hold fewer deleted ones open or mapped`;
    return null;
  }

  /** One after the other: the end of one may be enough. */
  #relieve(): void {
    if (this.#low === null) return;
    const now = this.#deps.clock.monotonicMs();
    const entries = [...this.#entries];
    if (entries.some(({ endedAtMs }) => endedAtMs !== null && now - endedAtMs < ENDING_MS)) return;
    const going = entries.filter(({ endedAtMs }) => endedAtMs === null);
    const [largest] = going
      .filter(isGrowing)
      .toSorted(({ usage: left }, { usage: right }) =>
        left.bytes === right.bytes ? right.writtenBytes - left.writtenBytes : right.bytes - left.bytes,
      );
    if (largest !== undefined) {
      const kept = mebibytes(largest.usage.bytes);
      this.#end(
        largest,
        `the run was ended because the disk of its node was nearly full: of the runs that still wrote it kept the most there, ${kept}; let it write less, or make room on the node`,
      );
    } else if (this.#fillsOn(this.#low)) this.#endUnseen(going, now);
  }

  /** Whether the disk of the runs goes on to fill, or is full, when all had time to be counted. */
  #fillsOn({ since, now }: { readonly since: Reading; readonly now: Reading }): boolean {
    const { room } = this.#deps.reserve;
    // It may be another disk that is nearly full.
    if (room === null || now.freeBytes > room.freeBytes + FALLING_BYTES) return false;
    if (now.atMs - since.atMs < ENDING_MS) return false;
    return now.freeBytes < NOTHING_BYTES || since.freeBytes - now.freeBytes >= FALLING_BYTES;
  }

  /** Whose count lasts is the most likely; then the youngest, whose end costs least. */
  #endUnseen(going: readonly Entry[], now: number): void {
    const lasts = going.filter(
      ({ countedSinceMs, cuts }) =>
        cuts > 0 || (countedSinceMs !== null && now - countedSinceMs >= ENDING_MS),
    );
    const chosen = lasts.at(-1) ?? going.at(-1);
    if (chosen === undefined) return;
    this.#deps.logger.warn(
      { run: chosen.name, runs: going.length },
      'the disk fills on though no run is seen to grow: one after the other is ended, the youngest first',
    );
    this.#end(
      chosen,
      'the run was ended because the disk of its node was nearly full and filled on, though no run was seen to write: the youngest goes first; submit it again, or make room on the node',
    );
  }

  #end(entry: Entry, why: string): void {
    entry.endedAtMs = this.#deps.clock.monotonicMs();
    if (this.#low !== null) this.#low = { ...this.#low, since: this.#low.now };
    const { name, usage } = entry;
    this.#deps.logger.warn({ run: name, ...usage }, 'run ended for what it keeps on disk');
    entry.run.end(why);
  }
}

const isGrowing = ({ usage, calm }: Entry): boolean =>
  usage.bytes - calm.bytes >= GROWTH_BYTES ||
  usage.files - calm.files >= GROWTH_FILES ||
  usage.writtenBytes - calm.writtenBytes >= WRITTEN_BYTES;

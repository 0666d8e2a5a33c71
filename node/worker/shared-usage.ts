/**
 * What runs without a sandbox keep in places where everybody may write. How long it takes to count that depends on what
 * others keep there, so each place is counted by itself, in the background: when it is time, and when room has gone.
 */
import type { DiskSpace, ReadSpace } from '../disk/space.ts';
import type { Clock } from '../ports.ts';
import { type Bounds, type Count, type DiskUsage, measureShared, type Person } from './disk-usage.ts';

export interface SharedCensusOptions {
  readonly places: readonly string[];
  /** That a run may keep; null: as many as it likes. */
  readonly files: number | null;
  /** A place is counted when so much of it has gone. */
  readonly step: { readonly bytes: number; readonly files: number };
}

export interface SharedCensusDependencies {
  /** Something new is known. */
  readonly onCounted: () => void;
  readonly readSpace: ReadSpace;
  readonly clock: Clock;
  /** @default by `find` */
  readonly measure?: typeof measureShared;
}

interface Place {
  readonly path: string;
  counts: ReadonlyMap<string, Count>;
  /** Whether it takes too long to count. */
  isLarge: boolean;
  /** When (monotonic) it is counted whatever has gone, and when at the earliest. */
  dueMs: number;
  earliestMs: number;
  /** When it was last counted. */
  space: DiskSpace | null;
}

const EVERY_MS = 10_000;
/** What others keep there isn't bounded. */
const LIMIT_MS = 10_000;
/** Between counts there are so many times what one took. */
const PAUSES = 4;

export class SharedCensus {
  readonly #options: SharedCensusOptions;
  readonly #deps: Required<SharedCensusDependencies>;
  readonly #places: readonly Place[];

  constructor(options: SharedCensusOptions, dependencies: SharedCensusDependencies) {
    this.#options = options;
    this.#deps = { measure: measureShared, ...dependencies };
    this.#places = options.places.map((path) => ({
      path,
      counts: new Map(),
      isLarge: false,
      dueMs: Number.NEGATIVE_INFINITY,
      earliestMs: Number.NEGATIVE_INFINITY,
      space: null,
    }));
  }

  /** At the last count, in all places. */
  of(name: string): DiskUsage {
    const sum = { bytes: 0, files: 0 };
    for (const { counts } of this.#places) {
      sum.bytes += counts.get(name)?.bytes ?? 0;
      sum.files += counts.get(name)?.files ?? 0;
    }
    return sum;
  }

  /** What its operator must know; null: nothing. */
  get trouble(): string | null {
    const large = this.#places.filter(({ isLarge }) => isLarge);
    if (large.length === 0) return null;
    return `what runs keep in ${large.map(({ path }) => path).join(', ')} is not counted to its end, since too much lies there: remove some of it, or give runs a sandbox (bubblewrap)`;
  }

  /** Looks whether any place is to be counted; the counts themselves aren't waited for. */
  async look(people: readonly Person[]): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#look(place, people)));
  }

  async #look(place: Place, people: readonly Person[]): Promise<void> {
    const { clock, readSpace } = this.#deps;
    if (people.length === 0) {
      place.counts = new Map();
      place.isLarge = false;
      return;
    }
    if (clock.monotonicMs() < place.earliestMs) return;
    const space = await readSpace(place.path);
    const nowMs = clock.monotonicMs();
    if (nowMs < place.earliestMs || (nowMs < place.dueMs && !this.#hasGone(place.space, space))) return;
    place.space = space;
    place.earliestMs = Number.POSITIVE_INFINITY;
    void this.#count(place, people);
  }

  #hasGone(before: DiskSpace | null, now: DiskSpace | null): boolean {
    if (before === null || now === null) return false;
    const { bytes, files } = this.#options.step;
    return before.freeBytes - now.freeBytes >= bytes || before.freeFiles - now.freeFiles >= files;
  }

  async #count(place: Place, people: readonly Person[]): Promise<void> {
    const { clock, measure, onCounted } = this.#deps;
    const begunMs = clock.monotonicMs();
    const bounds: Bounds = { files: this.#options.files, ms: LIMIT_MS };
    const counts = await measure(place.path, people, bounds);
    const endedMs = clock.monotonicMs();
    // A count that was cut is still known; what none could be made of stays as it was.
    if (counts !== null) {
      place.counts = counts;
      place.isLarge = [...counts.values()].some(({ isWhole }) => !isWhole) && !this.#isExceeded(counts);
    }
    place.earliestMs = endedMs + PAUSES * (endedMs - begunMs);
    place.dueMs = Math.max(place.earliestMs, endedMs + EVERY_MS);
    onCounted();
  }

  /** Then it was cut for that. */
  #isExceeded(counts: ReadonlyMap<string, Count>): boolean {
    const limit = this.#options.files ?? Number.POSITIVE_INFINITY;
    return [...counts.values()].some(({ files }) => files > limit);
  }
}

/**
 * The part of the disk that a node keeps for its own log. Below it nothing large is begun: no run, no upload. Whoever
 * writes there meanwhile (programs, other users of the disk) is looked at again and again.
 */
import type { Cancel, Clock, Logger } from '../ports.ts';
import type { Ballast } from './ballast.ts';
import { type DiskSpace, mebibytes, type ReadSpace } from './space.ts';

export interface ReserveSize {
  /** Of the file system, 0 to 1. */
  readonly share: number;
  /** At least so much. */
  readonly bytes: number;
}

export interface DiskReserveDependencies {
  /** What lies in the reserve is kept there. */
  readonly ballast: Pick<Ballast, 'keep' | 'stop'>;
  readonly readSpace: ReadSpace;
  /** The node takes runs again, or no longer. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How it stands where the room is tightest. */
export interface Room {
  readonly directory: string;
  readonly freeBytes: number;
  readonly reserveBytes: number;
  readonly isLow: boolean;
}

const PERIOD_MS = 1_000;
/** The log needs new files, too. */
const RESERVED_FILES = 1_024;
/** What was low must get so much better, or a node on the edge would change its mind with every look. */
const RELIEF = 1.1;

export class DiskReserve {
  readonly #size: ReserveSize;
  readonly #deps: DiskReserveDependencies;
  readonly #directories: Set<string>;
  #room: Room | null = null;
  #looking: Promise<void> | null = null;
  #stop: Cancel | null = null;

  constructor(
    options: { readonly directory: string; readonly size: ReserveSize },
    dependencies: DiskReserveDependencies,
  ) {
    this.#size = options.size;
    this.#deps = dependencies;
    this.#directories = new Set([options.directory]);
  }

  async start(): Promise<void> {
    await this.look();
    this.#stop = this.#deps.clock.every(PERIOD_MS, () => {
      void this.look();
      this.#deps.ballast.keep(this.#room);
    });
  }

  async stop(): Promise<void> {
    this.#stop?.();
    await this.#deps.ballast.stop();
  }

  /** Looks at another directory as well, which may lie on another disk. */
  include(directory: string): void {
    this.#directories.add(directory);
  }

  /** Null while nothing is known. */
  get room(): Room | null {
    return this.#room;
  }

  /** Null while there is room for runs and uploads; else why there is none, and what to do. */
  get shortage(): string | null {
    if (this.#room?.isLow !== true) return null;
    const { directory, freeBytes, reserveBytes } = this.#room;
    const free = freeBytes < reserveBytes ? `${mebibytes(freeBytes)} are free` : 'hardly a file can be made';
    return `the disk of ${directory} is full: ${free}, and this node keeps ${mebibytes(reserveBytes)} for its log; it takes no run and no upload until there is more`;
  }

  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const rooms: Room[] = [];
    for (const directory of this.#directories) {
      const space = await this.#deps.readSpace(directory);
      if (space !== null) rooms.push(this.#judge(directory, space));
    }
    const tightest = rooms.toSorted((left, right) => spare(left) - spare(right));
    const room = tightest.find(({ isLow }) => isLow) ?? tightest[0] ?? null;
    const wasLow = this.#room?.isLow === true;
    this.#room = room;
    if (wasLow === (room?.isLow === true)) return;
    if (wasLow) this.#deps.logger.info({ ...room }, 'disk has room again');
    else this.#deps.logger.error({ ...room }, this.shortage ?? 'disk is full');
    this.#deps.onChange();
  }

  #judge(directory: string, space: DiskSpace): Room {
    return { directory, ...judgeRoom(space, this.#size, this.#room?.isLow === true ? RELIEF : 1) };
  }
}

/** @param relief so many times the reserve must be free. @default 1 */
export function judgeRoom(
  { sizeBytes, freeBytes, files, freeFiles }: DiskSpace,
  size: ReserveSize,
  relief = 1,
): Omit<Room, 'directory'> {
  const reserveBytes = Math.max(size.bytes, Math.floor(size.share * sizeBytes));
  const lacksFiles = files > 0 && freeFiles < RESERVED_FILES * relief;
  return { freeBytes, reserveBytes, isLow: freeBytes < reserveBytes * relief || lacksFiles };
}

const spare = ({ freeBytes, reserveBytes }: Room): number => freeBytes - reserveBytes;

/**
 * A file that only takes up room, to be thrown away when the log of the node has none: whoever filled the disk could
 * not take this part. It is made again once there is room.
 */
import { randomBytes } from 'node:crypto';
import { open, rm, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../ports.ts';
import type { Room } from './reserve.ts';
import type { ReadSpace } from './space.ts';

/** LevelDB writes its log of 4 MiB anew as a table when it is opened, and merges tables as they come. */
export const BALLAST_BYTES = 16 * 1024 ** 2;
const STEP_BYTES = 1024 ** 2;
/** In which stat(2) counts. */
const BLOCK_BYTES = 512;

export interface BallastDependencies {
  readonly readSpace: ReadSpace;
  readonly logger: Logger;
}

export class Ballast {
  readonly #path: string;
  readonly #bytes: number;
  readonly #deps: BallastDependencies;
  #making: Promise<void> | null = null;
  #isThere = false;

  constructor(
    options: { readonly path: string; readonly bytes?: number },
    dependencies: BallastDependencies,
  ) {
    this.#path = options.path;
    this.#bytes = options.bytes ?? BALLAST_BYTES;
    this.#deps = dependencies;
  }

  /** At the start of the node, which writes a little here and there: it gives it up where nothing else is free. */
  async start(): Promise<void> {
    const found = await stat(this.#path).catch(() => null);
    this.#isThere = found !== null && found.blocks * BLOCK_BYTES >= this.#bytes;
    const space = await this.#deps.readSpace(dirname(this.#path));
    if (space !== null && space.freeBytes < this.#bytes) await this.giveUp();
  }

  /** True when it was there: that much is free now. */
  async giveUp(): Promise<boolean> {
    await this.#making;
    const gone = await unlink(this.#path).then(
      () => true,
      () => false,
    );
    this.#isThere = false;
    if (gone) this.#deps.logger.warn({ path: this.#path }, 'ballast given up: the log has no other room');
    return gone;
  }

  /** Makes it where it is missing and there is room for it beside the reserve. */
  keep(room: Room | null): void {
    if (this.#isThere || this.#making !== null || room === null || room.isLow) return;
    if (room.freeBytes < room.reserveBytes + this.#bytes) return;
    this.#making = this.#make().finally(() => {
      this.#making = null;
    });
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#isThere = true;
    await this.#making;
  }

  async #make(): Promise<void> {
    try {
      await rm(this.#path, { force: true });
      await using file = await open(this.#path, 'wx', 0o600);
      // Not zeros: some file systems keep these for nothing.
      const step = randomBytes(Math.min(STEP_BYTES, this.#bytes));
      for (let left = this.#bytes; left > 0; left -= step.length) {
        await file.write(step, 0, Math.min(left, step.length));
      }
      this.#isThere = true;
    } catch (error) {
      await rm(this.#path, { force: true }).catch(() => undefined);
      this.#deps.logger.debug({ err: error }, 'ballast could not be made');
    }
  }
}

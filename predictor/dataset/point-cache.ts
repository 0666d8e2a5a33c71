/**
 * Points that are finished, so that a run which was interrupted goes on. One small file a point, named by all it
 * depends on.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { L1_CACHE } from '../cachegrind.ts';
import { type Counts, ENVIRONMENT, type Point } from './measure-point.ts';
import type { Tools } from './sidecar.ts';
import { GCC_FLAGS } from './toolchain.ts';

export class PointCache {
  readonly #folder: string;
  readonly #tools: Tools;

  /** @param options.folder is made when needed */
  constructor(options: { readonly folder: string }, { tools }: { readonly tools: Tools }) {
    this.#folder = options.folder;
    this.#tools = tools;
  }

  /** Null when the point was not measured yet. */
  async read(point: Point): Promise<Counts | null> {
    try {
      const counts: unknown = JSON.parse(await readFile(this.#pathOf(point), 'utf8'));
      return isCounts(counts) ? counts : null;
    } catch {
      // Missing or cut short: measured again.
      return null;
    }
  }

  async write(point: Point, counts: Counts): Promise<void> {
    const path = this.#pathOf(point);
    await mkdir(join(path, '..'), { recursive: true });
    const half = `${path}.${randomUUID()}`;
    await writeFile(half, JSON.stringify(counts));
    await rename(half, path);
  }

  #pathOf({ program, inputSize, ways, wayBytes }: Point): string {
    const { name, hash, interpreter } = program;
    const all = [hash, interpreter, GCC_FLAGS, ENVIRONMENT, L1_CACHE, this.#tools, inputSize, ways, wayBytes];
    const key = createHash('sha256').update(JSON.stringify(all)).digest('hex').slice(0, 32);
    return join(this.#folder, name, `${key}.json`);
  }
}

function isCounts(value: unknown): value is Counts {
  if (typeof value !== 'object' || value === null) return false;
  const { iRefs, l1Misses, llMisses } = value as Record<string, unknown>;
  return [iRefs, l1Misses, llMisses].every((count) => Number.isSafeInteger(count));
}

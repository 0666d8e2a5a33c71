/** Copies the sources that the simulator needs, plants a mutant in the copy and hunts for it there. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Mutant } from './mutants.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const COPIED = [
  'node/consensus',
  'node/store',
  'node/state',
  'node/master/placement.ts',
  'node/llc/allocation',
  'node/llc/geometry.ts',
  'node/llc/masks.ts',
  'node/llc/profiler-traits.ts',
  'node/ports.ts',
  'node/turns.ts',
  'protocols/proof',
  'protocols/schema',
  'protocols/wire',
  'test/builders',
  'test/support/memory-log-store.ts',
  'test/simulation',
  'package.json',
];

/** A directory with a copy of the sources; to be planted in, once per mutant, and disposed of. */
export class Nursery implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(): Promise<Nursery> {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-mutants-'));
    for (const path of COPIED) await cp(join(ROOT, path), join(directory, path), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    return new Nursery(directory);
  }

  /** @returns what the simulator said when it found the mutant; null when it didn't within `seeds` */
  async hunt(mutant: Mutant, seeds: number): Promise<string | null> {
    const hostile = mutant.hostility === undefined ? [] : ['--hostile', mutant.hostility];
    const from = ['--from', String(mutant.from ?? 1)];
    const path = join(this.#directory, mutant.file);
    const source = await readFile(path, 'utf8');
    if (source.split(mutant.find).length !== 2) {
      throw new Error(`${mutant.file} doesn't hold exactly once: ${mutant.find}`);
    }
    await writeFile(
      path,
      source.replace(mutant.find, () => mutant.replace),
    );
    try {
      await run(
        process.execPath,
        ['--import', 'tsx', 'test/simulation/main.ts', '--seeds', String(seeds), ...from, ...hostile],
        { cwd: this.#directory },
      );
      return null;
    } catch (error) {
      return String((error as { stderr?: unknown }).stderr ?? error);
    } finally {
      await writeFile(path, source);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

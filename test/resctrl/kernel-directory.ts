/** A directory that a kernel on paper keeps as the real one keeps its mount, for the real adapter and its lock. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EmulatedResctrl } from '../../node/llc/emulator/emulator.ts';
import { inGroup, nullIf, type ResctrlFs } from '../../node/llc/resctrl/port.ts';
import { RealResctrl } from '../../node/llc/resctrl/real.ts';

export class KernelDirectory implements ResctrlFs {
  readonly #kernel: EmulatedResctrl;
  readonly #root: string;
  readonly #real: RealResctrl;

  private constructor(kernel: EmulatedResctrl, root: string) {
    this.#kernel = kernel;
    this.#root = root;
    this.#real = new RealResctrl({ root });
  }

  static async create(kernel: EmulatedResctrl): Promise<KernelDirectory> {
    const directory = new KernelDirectory(kernel, await mkdtemp(join(tmpdir(), 'fsched-kernel-')));
    await directory.#fill('');
    return directory;
  }

  /** What isn't there the real adapter finds out. */
  async read(path: string): Promise<string> {
    const text = await nullIf(['ENOENT', 'ENOTDIR', 'EISDIR'], this.#kernel.read(path));
    if (text !== null) await writeFile(join(this.#root, path), text);
    return this.#real.read(path);
  }

  async write(path: string, text: string): Promise<void> {
    await this.#kernel.write(path, text);
    await this.#real.write(path, text);
    assert.ok((await readFile(join(this.#root, path), 'utf8')).startsWith(text), 'the very bytes');
  }

  async mkdir(path: string): Promise<void> {
    await this.#kernel.mkdir(path);
    await this.#real.mkdir(path);
    await this.#fill(path);
  }

  /** The kernel takes the files along. */
  async rmdir(path: string): Promise<void> {
    await this.#kernel.rmdir(path);
    const directory = join(this.#root, path);
    for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
    await this.#real.rmdir(path);
  }

  list(path: string): Promise<string[]> {
    return this.#real.list(path);
  }

  locked<T>(work: () => Promise<T>, refused?: (cause: unknown) => T): Promise<T> {
    return this.#real.locked(work, refused);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#real[Symbol.asyncDispose]();
    await rm(this.#root, { recursive: true });
  }

  async #fill(directory: string): Promise<void> {
    for (const name of await this.#kernel.list(directory)) {
      const path = inGroup(directory, name);
      const text = await nullIf(['EISDIR'], this.#kernel.read(path));
      if (text !== null) await writeFile(join(this.#root, path), text);
      else {
        await mkdir(join(this.#root, path), { recursive: true });
        await this.#fill(path);
      }
    }
  }
}

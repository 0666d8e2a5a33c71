/**
 * The kernel's resctrl without the hardware: answers as Linux 6.1 does, down to the errno, the status of the last
 * command and the spaces in schemata, which a test holds to recorded transcripts. It allocates nothing.
 */
import type { Clock } from '../../ports.ts';
import { Turns } from '../../turns.ts';
import { ResctrlLock } from '../resctrl/lock.ts';
import { type Errno, ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import { LastCommandStatus, Rmids } from './groups.ts';
import { MountedKernel } from './kernel.ts';
import { type CompleteMachine, completeMachine, type EmulatedMachine } from './machine.ts';
import { type EmulatorMemory, freeze, thaw } from './memory.ts';
import type { CounterSource, ProcessTable } from './processes.ts';
import { type Directory, isDirectory, type Node, resolve, rootDirectory } from './tree.ts';

export interface EmulatorOptions {
  readonly machine: EmulatedMachine;
  /** Whether it is mounted with `-o cdp`. @default false */
  readonly cdp?: boolean;
  /** How long an RMID that was freed can't be given again; Infinity: until `cleanLimbo()`. @default 0 */
  readonly limboMs?: number;
}

export interface EmulatorDependencies {
  readonly processes: ProcessTable;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** What `mon_data` shows. @default zeros */
  readonly counters?: CounterSource;
  /** Keeps the groups where they outlive this process. @default they end with it */
  readonly memory?: EmulatorMemory;
}

/** Keeps nothing. */
const NO_MEMORY: EmulatorMemory = { load: async () => null, save: async () => {} };

/** One write(2) to a kernfs file takes a page at most. */
const MAX_WRITE_BYTES = 4096;

interface Done<T> {
  readonly value: T;
}

const DONE: Done<void> = { value: undefined };
const UNMOUNTED: Directory = { entries: () => new Map() };

export class EmulatedResctrl implements ResctrlFs {
  readonly machine: CompleteMachine;
  readonly #dependencies: Required<EmulatorDependencies>;
  readonly #status = new LastCommandStatus();
  readonly #rmids: Rmids;
  readonly #lock = new ResctrlLock();
  #kernel: MountedKernel | null = null;
  /** What was last kept; null before the first look. */
  #kept: string | null = null;
  /** The kernel's own mutex: it carries out one call after the other, whoever calls. */
  readonly #turns = new Turns();

  constructor({ machine, cdp = false, limboMs = 0 }: EmulatorOptions, dependencies: EmulatorDependencies) {
    this.machine = completeMachine(machine);
    this.#dependencies = { counters: () => 0, memory: NO_MEMORY, ...dependencies };
    const { rmids, maxThresholdOccupancy: thresholdBytes } = this.machine;
    this.#rmids = new Rmids({ count: rmids ?? 0, limboMs, thresholdBytes }, dependencies.clock);
    this.mount({ cdp });
  }

  read(path: string): Promise<string> {
    return this.#at('reads', `read ${path}`, path, async (node) =>
      isDirectory(node) ? 'EISDIR' : { value: await node.read() },
    );
  }

  write(path: string, text: string): Promise<void> {
    return this.#at('changes', `write ${path} <- ${JSON.stringify(text)}`, path, async (node) => {
      if (isDirectory(node)) return 'EISDIR';
      if (node.write === undefined) return 'EACCES';
      if (Buffer.byteLength(text) > MAX_WRITE_BYTES) return 'E2BIG';
      return (await node.write(text)) ?? DONE;
    });
  }

  mkdir(path: string): Promise<void> {
    return this.#run('changes', `mkdir ${path}`, async () => {
      const names = namesOf(path);
      const name = names.pop() ?? '';
      const node = this.#resolve(path);
      if (node !== 'ENOENT') return typeof node === 'string' ? node : 'EEXIST';
      const directory = this.#resolve(names.join('/'));
      if (typeof directory === 'string') return directory;
      if (!isDirectory(directory)) return 'ENOTDIR';
      if (name.includes('\n')) return 'EINVAL';
      return (directory.make === undefined ? 'EPERM' : directory.make(name)) ?? DONE;
    });
  }

  rmdir(path: string): Promise<void> {
    return this.#at('changes', `rmdir ${path}`, path, async (node) => {
      if (!isDirectory(node)) return 'ENOTDIR';
      if (path === '') return 'EBUSY';
      return (node.remove === undefined ? 'EPERM' : await node.remove()) ?? DONE;
    });
  }

  list(path: string): Promise<string[]> {
    return this.#at('reads', `list ${path}`, path, async (node) =>
      isDirectory(node) ? { value: [...node.entries().keys()].sort() } : 'ENOTDIR',
    );
  }

  locked<T>(work: () => Promise<T>, refused?: (cause: unknown) => T): Promise<T> {
    return this.#lock.hold(work, refused);
  }

  /** RMIDs that can't be given yet. */
  get rmidsInLimbo(): number {
    return this.#rmids.inLimbo;
  }

  /** As if the lines of all freed RMIDs had left the cache. */
  cleanLimbo(): void {
    this.#rmids.cleanAll();
  }

  /** Harmless when it is mounted already. */
  mount(options: { readonly cdp?: boolean } = {}): void {
    if (this.#kernel !== null) return;
    const cdp = options.cdp ?? false;
    if (cdp && !this.machine.cdpCapable) throw new RangeError('this machine has no CDP');
    const { machine } = this;
    const [rmids, status] = [this.#rmids, this.#status];
    this.#kernel = new MountedKernel({ ...this.#dependencies, machine, cdp, rmids, status });
  }

  /** All groups go; their threads are in the root group of the next mount. The directory is empty meanwhile. */
  unmount(): void {
    this.#kernel?.removeAll();
    this.#kernel = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.done();
  }

  /** Before the first operation: what an earlier process left. */
  async #recall(): Promise<void> {
    if (this.#kept !== null || this.#dependencies.memory === NO_MEMORY) return;
    this.#kept = (await this.#dependencies.memory.load()) ?? '';
    if (this.#kernel !== null && this.#kept !== '') thaw(this.#kernel, this.#kept);
  }

  async #keep(): Promise<void> {
    const { memory } = this.#dependencies;
    if (memory === NO_MEMORY) return;
    const text = freeze(this.#kernel);
    if (text === this.#kept) return;
    this.#kept = text;
    await memory.save(text);
  }

  #resolve(path: string): Node | Errno {
    return resolve(this.#kernel === null ? UNMOUNTED : rootDirectory(this.#kernel), namesOf(path));
  }

  /** As `run`, for what is about a file or a directory that is there. */
  #at<T>(
    kind: 'reads' | 'changes',
    operation: string,
    path: string,
    work: (node: Node) => Promise<Done<T> | Errno>,
  ): Promise<T> {
    return this.#run(kind, operation, async () => {
      const node = this.#resolve(path);
      return typeof node === 'string' ? node : work(node);
    });
  }

  #run<T>(kind: 'reads' | 'changes', operation: string, work: () => Promise<Done<T> | Errno>): Promise<T> {
    return this.#turns.take(async () => {
      await this.#recall();
      const done = await work();
      if (kind === 'changes') await this.#keep();
      if (typeof done !== 'string') return done.value;
      const status = this.#kernel === null ? 'ok' : this.#status.read().trim();
      throw new ResctrlError(done, operation, status === 'ok' ? null : status);
    });
  }
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

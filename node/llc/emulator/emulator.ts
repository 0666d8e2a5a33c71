/**
 * The kernel's resctrl without the hardware: answers as Linux 6.1 does, down to the errno, the status of the last
 * command and the spaces in schemata, which a test holds to recorded transcripts. It allocates nothing.
 */
import { systemClock } from '../../adapters.ts';
import type { Clock } from '../../ports.ts';
import { type Errno, ResctrlError, type ResctrlFs } from '../resctrl/port.ts';
import { type ProcessTable, SimulatedProcesses } from '../resctrl/process-table.ts';
import { type LockMode, RwQueue } from '../resctrl/rw-queue.ts';
import { Rmids } from './groups.ts';
import { type CounterSource, MountedKernel } from './kernel.ts';
import { type CompleteMachine, completeMachine, type EmulatedMachine } from './machine.ts';
import { type EmulatorMemory, freeze, thaw } from './memory.ts';
import { type Directory, isDirectory, type Node, resolve } from './nodes.ts';
import { LastCommandStatus } from './status.ts';
import { controlOf } from './tasks.ts';
import { rootDirectory } from './tree.ts';

export interface EmulatorOptions {
  readonly machine: EmulatedMachine;
  /** Whether it is mounted with `-o cdp`. @default false */
  readonly cdp?: boolean;
  /** How long an RMID that was freed can't be given again; Infinity: until `cleanLimbo()`. @default 0 */
  readonly limboMs?: number;
}

export interface EmulatorDependencies {
  /** @default processes that exist only on paper */
  readonly processes?: ProcessTable;
  /** @default the system's clock */
  readonly clock?: Pick<Clock, 'monotonicMs'>;
  /** What `mon_data` shows. @default zeros */
  readonly counters?: CounterSource;
  /** Keeps the groups where they outlive this process. @default they end with it */
  readonly memory?: EmulatorMemory;
}

/** Keeps nothing. */
const NO_MEMORY: EmulatorMemory = { load: async () => null, save: async () => {} };

/** One write(2) to a kernfs file takes a page at most. */
const MAX_WRITE_BYTES = 4096;
const UNMOUNTED: Directory = { entries: () => new Map() };

export class EmulatedResctrl implements ResctrlFs {
  readonly machine: CompleteMachine;
  readonly #dependencies: Required<EmulatorDependencies>;
  readonly #status = new LastCommandStatus();
  readonly #rmids: Rmids;
  readonly #lock = new RwQueue();
  #kernel: MountedKernel | null = null;
  /** What was last kept; null before the first look. */
  #kept: string | null = null;
  /** Operations run one after the other, as under the kernel's mutex. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: EmulatorOptions, dependencies: EmulatorDependencies = {}) {
    this.machine = completeMachine(options.machine);
    this.#dependencies = {
      processes: new SimulatedProcesses(),
      clock: systemClock,
      counters: () => 0,
      memory: NO_MEMORY,
      ...dependencies,
    };
    this.#rmids = new Rmids(
      {
        count: this.machine.rmids ?? 0,
        limboMs: options.limboMs ?? 0,
        thresholdBytes: this.machine.maxThresholdOccupancy,
      },
      this.#dependencies.clock,
    );
    this.mount({ cdp: options.cdp ?? false });
  }

  read(path: string): Promise<string> {
    return this.#run(`read ${path}`, async () => {
      const node = this.#resolve(path);
      if (typeof node === 'string') return node;
      return isDirectory(node) ? 'EISDIR' : { value: await node.read() };
    });
  }

  write(path: string, text: string): Promise<void> {
    return this.#run(
      `write ${path} <- ${JSON.stringify(text)}`,
      async () => {
        const node = this.#resolve(path);
        if (typeof node === 'string') return node;
        if (isDirectory(node)) return 'EISDIR';
        if (node.write === undefined) return 'EACCES';
        if (Buffer.byteLength(text) > MAX_WRITE_BYTES) return 'E2BIG';
        return (await node.write(text)) ?? { value: undefined };
      },
      'changes',
    );
  }

  mkdir(path: string): Promise<void> {
    return this.#run(
      `mkdir ${path}`,
      async () => {
        const { parent, name } = splitPath(path);
        const node = this.#resolve(path);
        if (node !== 'ENOENT') return typeof node === 'string' ? node : 'EEXIST';
        const directory = this.#resolve(parent);
        if (typeof directory === 'string') return directory;
        if (!isDirectory(directory)) return 'ENOTDIR';
        if (name.includes('\n')) return 'EINVAL';
        const errno = directory.make === undefined ? 'EPERM' : directory.make(name);
        return errno ?? { value: undefined };
      },
      'changes',
    );
  }

  rmdir(path: string): Promise<void> {
    return this.#run(
      `rmdir ${path}`,
      async () => {
        const node = this.#resolve(path);
        if (typeof node === 'string') return node;
        if (!isDirectory(node)) return 'ENOTDIR';
        if (path === '') return 'EBUSY';
        const errno = node.remove === undefined ? 'EPERM' : await node.remove();
        return errno ?? { value: undefined };
      },
      'changes',
    );
  }

  list(path: string): Promise<string[]> {
    return this.#run(`list ${path}`, async () => {
      const node = this.#resolve(path);
      if (typeof node === 'string') return node;
      return isDirectory(node) ? { value: [...node.entries().keys()].sort() } : 'ENOTDIR';
    });
  }

  locked<T>(mode: LockMode, work: () => Promise<T>): Promise<T> {
    return this.#lock.hold(mode, work);
  }

  /** unlink(2) is never permitted. */
  unlink(path: string): Promise<void> {
    return this.#run(`unlink ${path}`, async () => {
      const node = this.#resolve(path);
      if (typeof node === 'string') return node;
      return isDirectory(node) ? 'EISDIR' : 'EPERM';
    });
  }

  /** rename(2) is never permitted; newer kernels than the recorded one move monitor groups. */
  rename(from: string, _to: string): Promise<void> {
    return this.#run(`rename ${from}`, async () => {
      const node = this.#resolve(from);
      return typeof node === 'string' ? node : 'EPERM';
    });
  }

  /** open(2) with O_CREAT and O_EXCL: no file can be added. */
  create(path: string): Promise<void> {
    return this.#run(`create ${path}`, async () => {
      const node = this.#resolve(path);
      return typeof node === 'string' && node !== 'ENOENT' ? node : node === 'ENOENT' ? 'EACCES' : 'EEXIST';
    });
  }

  /** As in `/proc/TID/cpu_resctrl_groups`. Null when there is no such thread. */
  groupsOf(tid: number): Promise<{ readonly control: string; readonly monitor: string } | null> {
    return this.#run(`look for ${tid}`, async () => {
      if (this.#kernel === null) return { value: { control: '', monitor: '' } };
      await this.#kernel.tasks.settle();
      const group = this.#kernel.tasks.groupOf(tid);
      if (group === null) return { value: null };
      const control = controlOf(group).name || '/';
      return { value: { control, monitor: group.kind === 'monitor' ? group.name : '' } };
    });
  }

  get isMounted(): boolean {
    return this.#kernel !== null;
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
    await this.#last;
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

  #run<T>(
    operation: string,
    work: () => Promise<{ readonly value: T } | Errno>,
    kind: 'reads' | 'changes' = 'reads',
  ): Promise<T> {
    const remembered = async () => {
      await this.#recall();
      const done = await work();
      if (kind === 'changes') await this.#keep();
      return done;
    };
    const result = this.#last.then(remembered).then((done) => {
      if (typeof done !== 'string') return done.value;
      const status = this.#kernel === null ? 'ok' : this.#status.read().trim();
      throw new ResctrlError(done, operation, status === 'ok' ? null : status);
    });
    this.#last = result.catch(() => {});
    return result;
  }
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const names = namesOf(path);
  return { parent: names.slice(0, -1).join('/'), name: names.at(-1) ?? '' };
}

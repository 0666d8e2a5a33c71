/** A machine on paper: its processes, the emulated kernel on it, and system calls that the daemon never makes. */
import { systemClock } from '../../node/adapters.ts';
import {
  EmulatedResctrl,
  type EmulatorDependencies,
  type EmulatorOptions,
} from '../../node/llc/emulator/emulator.ts';
import type { ProcessTable, ThreadInfo } from '../../node/llc/emulator/processes.ts';
import { type Errno, inGroup, nullIf, ResctrlError, type ResctrlFs } from '../../node/llc/resctrl/port.ts';

export function emulate(
  options: EmulatorOptions,
  dependencies: Partial<EmulatorDependencies> = {},
): EmulatedResctrl {
  return new EmulatedResctrl(options, {
    processes: new SimulatedProcesses(),
    clock: systemClock,
    ...dependencies,
  });
}

/** Processes that exist only on paper. */
export class SimulatedProcesses implements ProcessTable {
  readonly #threads = new Map<number, ThreadInfo>();
  #nextTid = 1000;
  #writer = 1;

  constructor() {
    this.#threads.set(1, { tid: 1, pid: 1, lineage: [] });
  }

  /** A new process, forked by `creator`. */
  fork(creator = 1, tid = this.#newTid()): number {
    this.#threads.set(tid, { tid, pid: tid, lineage: this.#lineageFrom(creator) });
    return tid;
  }

  /** A new thread in the process of `creator`. */
  clone(creator: number, tid = this.#newTid()): number {
    const lineage = this.#lineageFrom(creator);
    this.#threads.set(tid, { tid, pid: this.#threads.get(creator)?.pid ?? tid, lineage });
    return tid;
  }

  /** Ends one thread; the first thread of a process takes the others with it. */
  exit(tid: number): void {
    for (const thread of [...this.#threads.values()]) {
      if (thread.tid === tid || thread.pid === tid) this.#threads.delete(thread.tid);
    }
  }

  /** Whom the emulator takes to be writing. @default 1 */
  actAs(tid: number): void {
    this.#writer = tid;
  }

  writer(): number {
    return this.#writer;
  }

  async threads(): Promise<readonly ThreadInfo[]> {
    return [...this.#threads.values()];
  }

  #lineageFrom(creator: number): number[] {
    const thread = this.#threads.get(creator);
    if (thread === undefined) throw new RangeError(`no thread ${creator} lives`);
    return [creator, ...thread.lineage];
  }

  #newTid(): number {
    while (this.#threads.has(this.#nextTid)) this.#nextTid++;
    return this.#nextTid++;
  }
}

/** As in `/proc/TID/cpu_resctrl_groups`. */
export async function groupsOf(
  fs: ResctrlFs,
  tid: number,
): Promise<{ control: string; monitor: string } | null> {
  const control = await groupWith(fs, tid, '', ['', ...(await fs.list(''))]);
  if (control === null) return null;
  const monitors = inGroup(control, 'mon_groups');
  const monitor = await groupWith(
    fs,
    tid,
    `${monitors}/`,
    (await nullIf(['ENOENT'], fs.list(monitors))) ?? [],
  );
  return { control: control || '/', monitor: monitor ?? '' };
}

async function groupWith(
  fs: ResctrlFs,
  tid: number,
  parent: string,
  names: readonly string[],
): Promise<string | null> {
  for (const name of names) {
    const tasks = await nullIf(['ENOENT', 'ENOTDIR'], fs.read(inGroup(parent + name, 'tasks')));
    if (tasks?.split('\n').includes(String(tid))) return name;
  }
  return null;
}

/** unlink(2) is never permitted. */
export const unlink = (fs: ResctrlFs, path: string): Promise<void> =>
  refuse(fs, `unlink ${path}`, path, { directory: 'EISDIR', file: 'EPERM' });

/** rename(2) is never permitted; newer kernels than the recorded one move monitor groups. */
export const rename = (fs: ResctrlFs, from: string): Promise<void> =>
  refuse(fs, `rename ${from}`, from, { directory: 'EPERM', file: 'EPERM' });

/** open(2) with O_CREAT and O_EXCL: no file can be added. */
export const create = (fs: ResctrlFs, path: string): Promise<void> =>
  refuse(fs, `create ${path}`, path, { directory: 'EEXIST', file: 'EEXIST', ENOENT: 'EACCES' });

async function refuse(
  fs: ResctrlFs,
  operation: string,
  path: string,
  answers: { readonly directory: Errno; readonly file: Errno; readonly ENOENT?: Errno },
): Promise<never> {
  const found = await fs.list(path).then(
    () => answers.directory,
    (error: unknown) => {
      if (!(error instanceof ResctrlError)) throw error;
      if (error.code === 'ENOTDIR') return answers.file;
      return error.code === 'ENOENT' ? (answers.ENOENT ?? 'ENOENT') : error.code;
    },
  );
  throw new ResctrlError(found, operation, null);
}

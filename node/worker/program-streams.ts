/** The standard streams of one program: our ends, and the descriptors that are handed to it. */
import {
  closeSync,
  constants,
  fchownSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { orNull } from '../or-null.ts';
import { FILTER_DESCRIPTOR } from './isolation/seccomp/filter.ts';
import type { OpenPipe, PipePool } from './pipe-pool.ts';
import type { Owner } from './work-directory.ts';

/** Our end of a pipe. */
export type OutputPipe = Pick<OpenPipe, 'reader' | 'readFd'>;

export interface ProgramStreams {
  /** For `spawn`. Where this machine can't make pipes, Node makes its own for `'pipe'`. */
  readonly stdio: readonly ('ignore' | 'pipe' | number)[];
  /** Null where Node makes the pipe. */
  readonly stdout: OutputPipe | null;
  readonly stderr: OutputPipe | null;
  /** Closes the descriptors of the program; after `spawn`, or the output would never end. */
  handOver(): void;
  /** Closes our ends too: nothing was started. */
  discard(): void;
}

/** Standard input is a nameless file that holds `input`, else /dev/null. Throws when descriptors or disk run out. */
export async function openStreams(
  pool: PipePool,
  options: {
    readonly inputPath: string;
    readonly input: string | null;
    /** Who may open them by name. */
    readonly owner: Owner;
    /** Whether the third descriptor is a pipe of the latch. */
    readonly latched: boolean;
    /** Handed on as descriptor FILTER_DESCRIPTOR, and closed here with the others; null: nothing. */
    readonly filterFd: number | null;
  },
): Promise<ProgramStreams> {
  const descriptors: number[] = [];
  const pipes: (OpenPipe | null)[] = [];
  const handOver = () => {
    for (const fd of descriptors.splice(0)) closeSync(fd);
  };
  const discard = () => {
    handOver();
    for (const pipe of pipes) pipe?.reader.destroy();
  };
  const keep = (fd: number) => {
    descriptors.push(fd);
    return fd;
  };
  const { filterFd } = options;
  if (filterFd !== null) keep(filterFd);
  try {
    for (let stream = 1; stream <= 2; stream++) {
      const pipe = await pool.take();
      pipes.push(pipe);
      if (pipe !== null) keep(pipe.writeFd);
    }
    const nullFd = keep(openSync('/dev/null', constants.O_RDWR));
    const { owner, latched } = options;
    const inputFd = options.input === null ? nullFd : keep(openUnnamed(options.inputPath, options.input));
    if (owner !== null) {
      // Those of our own making only: /dev/null belongs to everybody.
      for (const fd of descriptors)
        if (fd !== nullFd && fd !== filterFd) fchownSync(fd, owner.uid, owner.gid);
    }
    // Looked up as late as can be, and each time: the store opens files without the mark as its log grows.
    const masked = maskDescriptors(findInheritableDescriptors(), nullFd);
    const others = Array.from({ length: Math.max(masked.length, FILTER_DESCRIPTOR - 2) }, (_, index) =>
      latched && index === 0 ? 'pipe' : (masked[index] ?? 'ignore'),
    );
    if (filterFd !== null) others[FILTER_DESCRIPTOR - 3] = filterFd;
    const [stdout, stderr] = [pipes[0] ?? null, pipes[1] ?? null];
    return {
      stdio: [inputFd, stdout?.writeFd ?? 'pipe', stderr?.writeFd ?? 'pipe', ...others],
      stdout,
      stderr,
      handOver,
      discard,
    };
  } catch (error) {
    discard();
    throw error;
  }
}

/** A descriptor, to be read, of a file that has no name any more. */
export function openUnnamed(path: string, content: string | Uint8Array): number {
  try {
    writeFileSync(path, content, { mode: 0o600 });
    return openSync(path, constants.O_RDONLY);
  } finally {
    // A full disk may have taken the name, and nothing more.
    orNull(() => unlinkSync(path));
  }
}

/** O_CLOEXEC in the octal flags of /proc/PID/fdinfo (proc_pid_fdinfo(5)); all that Node opens bears it. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Descriptors above the standard streams that would leak into a program, ascending: those that this process was itself
 * started with (a lock, or a pipe that somebody waits on), and those of native code, such as LevelDB's, which opens a
 * new one for each 4 MiB of the Raft log, at any time.
 */
function findInheritableDescriptors(): number[] {
  const open = orNull(() => readdirSync('/proc/self/fd')) ?? [];
  return open
    .map(Number)
    .filter((fd) => fd > 2 && isInheritable(fd))
    .sort((a, b) => a - b);
}

/** False for the one that listed the directory, which is closed by now. */
function isInheritable(fd: number): boolean {
  const info = orNull(() => readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? '';
  const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
}

/** Entries of `stdio` from the third on with `nullFd` in the place of each of `descriptors`; Node can't close them. */
function maskDescriptors(descriptors: readonly number[], nullFd: number): ('ignore' | number)[] {
  const last = descriptors.at(-1) ?? 2;
  return Array.from({ length: last - 2 }, (_, index) =>
    descriptors.includes(index + 3) ? nullFd : 'ignore',
  );
}

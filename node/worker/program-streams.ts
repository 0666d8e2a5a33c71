/** The standard streams of one program: our ends, and the descriptors that are handed to it. */
import { closeSync, constants, fchownSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { findInheritableDescriptors, maskDescriptors } from './inherited-descriptors.ts';
import type { OpenPipe, PipePool } from './pipe-pool.ts';
import type { Owner } from './work-directory.ts';

export interface ProgramStreams {
  /** For `spawn`. Where this machine can't make pipes, Node makes its own for `'pipe'`. */
  readonly stdio: readonly ('ignore' | 'pipe' | number)[];
  /** Null where Node makes the pipe. */
  readonly stdout: Socket | null;
  readonly stderr: Socket | null;
  /** Closes the descriptors of the program; after `spawn`, or the output would never end. */
  handOver(): void;
  /** Closes our ends too: nothing was started. */
  discard(): void;
}

/** Standard input is a file without a name that holds `input`, else /dev/null. Throws when descriptors or disk run out. */
export async function openStreams(
  pool: PipePool,
  options: {
    readonly inputPath: string;
    readonly input: string | null;
    /** Who may open them by name. */
    readonly owner: Owner;
    /** Whether the third descriptor is a pipe of the gate. */
    readonly gated: boolean;
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
  try {
    for (let stream = 1; stream <= 2; stream++) {
      const pipe = await pool.take();
      pipes.push(pipe);
      if (pipe !== null) keep(pipe.writeFd);
    }
    const nullFd = keep(openSync('/dev/null', constants.O_RDWR));
    const { owner, gated } = options;
    const inputFd = options.input === null ? nullFd : keep(openUnnamed(options.inputPath, options.input));
    if (owner !== null) {
      // Those of our own making only: /dev/null belongs to everybody.
      for (const fd of descriptors) if (fd !== nullFd) fchownSync(fd, owner.uid, owner.gid);
    }
    // Looked up as late as can be, and each time: the store opens files without the mark as its log grows.
    const masked = maskDescriptors(findInheritableDescriptors(), nullFd);
    const [stdout, stderr] = [pipes[0] ?? null, pipes[1] ?? null];
    return {
      stdio: [
        inputFd,
        stdout?.writeFd ?? 'pipe',
        stderr?.writeFd ?? 'pipe',
        ...(gated ? (['pipe', ...masked.slice(1)] as const) : masked),
      ],
      stdout: stdout?.reader ?? null,
      stderr: stderr?.reader ?? null,
      handOver,
      discard,
    };
  } catch (error) {
    discard();
    throw error;
  }
}

function openUnnamed(path: string, content: string): number {
  writeFileSync(path, content, { mode: 0o600 });
  try {
    return openSync(path, constants.O_RDONLY);
  } finally {
    unlinkSync(path);
  }
}

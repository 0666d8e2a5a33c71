/** The programs that a point depends on: their versions, and the compiling of the functions in C. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { type CatalogueFunction, sourceName } from './catalogue.ts';
import type { Tools } from './sidecar.ts';

const run = promisify(execFile);

export const PYTHON = '/usr/bin/python3';
/**
 * No site packages, no user site, no folder of the script, no byte code written. `-I` would also drop PYTHONHASHSEED.
 */
export const PYTHON_FLAGS = ['-S', '-s', '-P', '-B'] as const;
export const GCC_FLAGS = ['-O2', '-static', '-std=gnu11', '-Wall'] as const;
/**
 * Before the random end of a folder for executables. The length of their path reaches them (glibc asks for it): not
 * TMPDIR.
 */
export const SCRATCH_PREFIX = '/tmp/fsched-dataset-';
const HEADERS = ['prng.h'] as const;

/** A program that is ready to run. */
export interface Program {
  readonly name: string;
  /** What file descriptor 3 is opened on: the executable, or the script. */
  readonly file: string;
  /** Before `/dev/fd/3 INPUT_SIZE`. */
  readonly interpreter: readonly string[];
  /** SHA-256 of its source and its headers. */
  readonly hash: string;
}

/** @throws Error that names the tool which is missing */
export async function findTools(): Promise<Tools> {
  const firstLine = async (command: string, args: readonly string[]): Promise<string> => {
    try {
      const { stdout } = await run(command, [...args]);
      return stdout.split('\n')[0]?.trim() ?? '';
    } catch (cause) {
      throw new Error(`${command} does not run: the dataset needs valgrind, gcc and ${PYTHON}`, { cause });
    }
  };
  const [valgrind, gcc, python, libc] = await Promise.all([
    firstLine('valgrind', ['--version']),
    firstLine('gcc', ['--version']),
    firstLine(PYTHON, ['--version']),
    firstLine('ldd', ['--version']),
  ]);
  return { valgrind, gcc, python, libc, cpu: await simulatedCpu() };
}

/**
 * Valgrind emulates the CPUID of one of three CPUs, whichever the machine can follow (VEX, `guest_amd64_helpers.c`).
 */
async function simulatedCpu(): Promise<string> {
  const flags = /^flags\s*:(.*)$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
  return ['avx2', 'avx'].find((flag) => flags.includes(flag)) ?? 'sse';
}

/**
 * @param folder gets the executable
 * @throws Error that names the function whose source does not compile
 */
export async function prepare(each: CatalogueFunction, functions: string, folder: string): Promise<Program> {
  const source = join(functions, sourceName(each));
  if (each.language === 'python') {
    const hash = await hashOf([source]);
    return { name: each.name, file: source, interpreter: [PYTHON, ...PYTHON_FLAGS], hash };
  }
  const file = join(folder, basename(each.name));
  try {
    // In their folder and by their names: no path gets into the executable.
    await run('gcc', [...GCC_FLAGS, '-o', file, sourceName(each), '-lm'], { cwd: functions });
  } catch (cause) {
    throw new Error(`${each.name} does not compile: ${(cause as { stderr?: string }).stderr ?? cause}`, {
      cause,
    });
  }
  const hash = await hashOf([source, ...HEADERS.map((header) => join(functions, header))]);
  return { name: each.name, file, interpreter: [], hash };
}

async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(await readFile(path));
  return hash.digest('hex');
}

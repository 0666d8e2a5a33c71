/**
 * One point: a program at one input size with one number of ways in valgrind's simulated cache.
 *
 * The same to the digit wherever it runs, so all that reaches the program is fixed: its environment (valgrind's wrapper
 * adds the working directory to it, so that is `/`) and its own name (`/dev/fd/3`). What glibc chooses by CPU is not
 * pinned: valgrind shows the program one of its own (see `Tools.cpu`), and `glibc.cpu.hwcaps` itself takes a varying
 * number of instructions to be parsed (seen with glibc 2.36).
 */
import { spawn } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CachegrindSummary, L1_CACHE, parseSummary } from '../cachegrind.ts';
import type { Program } from './toolchain.ts';

export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C',
  PYTHONHASHSEED: '0',
};

export interface Point {
  readonly program: Program;
  readonly inputSize: number;
  readonly ways: number;
  readonly wayBytes: number;
}

export type Counts = Pick<CachegrindSummary, 'iRefs' | 'l1Misses' | 'llMisses'>;

/**
 * @param scratch an existing folder for valgrind's files
 * @throws Error that names function, input size and ways; the signal's reason when it was aborted
 */
export async function measurePoint(point: Point, scratch: string, signal: AbortSignal): Promise<Counts> {
  const { program, inputSize, ways, wayBytes } = point;
  const where = `${program.name} at input size ${inputSize} with ${ways} ways`;
  const output = join(scratch, `${program.name}-${inputSize}-${ways}-${wayBytes}.out`);
  const ending = await runOn(program.file, commandOf(point, output), signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new Error(`${where} did not start: ${cause instanceof Error ? cause.message : cause}`, { cause });
  });
  signal.throwIfAborted();
  const complaint = complaintOf(ending);
  if (complaint !== null) throw new Error(`${where} ${complaint}`);
  const text = await readFile(output, 'latin1');
  await rm(output);
  const summary = parseSummary({ head: text.slice(0, 1024), tail: text.slice(-1024) });
  if (summary === null) throw new Error(`${where}: valgrind's output can't be read`);
  if (summary.llBytes !== ways * wayBytes || summary.llWays !== ways) {
    const cache = `${summary.llBytes} bytes in ${summary.llWays} ways`;
    throw new Error(`${where}: valgrind simulated another cache, ${cache}`);
  }
  return { iRefs: summary.iRefs, l1Misses: summary.l1Misses, llMisses: summary.llMisses };
}

function commandOf({ program, inputSize, ways, wayBytes }: Point, output: string): string[] {
  return [
    'nice',
    '-n',
    '19',
    'valgrind',
    '--command-line-only=yes',
    '--quiet',
    '--tool=cachegrind',
    '--cache-sim=yes',
    `--I1=${L1_CACHE}`,
    `--D1=${L1_CACHE}`,
    `--LL=${ways * wayBytes},${ways},64`,
    '--vgdb=no',
    `--cachegrind-out-file=${output}`,
    ...program.interpreter,
    '/dev/fd/3',
    String(inputSize),
  ];
}

function complaintOf({ code, said, printed }: Ending): string | null {
  if (code !== 0) {
    // Without what valgrind itself has to say of the machine's caches.
    const reason = said.replace(/^--\d+--.*\n/gm, '').trim();
    return `ended with ${code}: ${reason.slice(-500) || 'it said nothing'}`;
  }
  if (/^[^\n]+\n$/.test(printed)) return null;
  return `has to print one line, but printed "${printed.slice(0, 80)}"`;
}

interface Ending {
  /** Exit status, or the signal that ended it. */
  readonly code: number | string;
  readonly said: string;
  readonly printed: string;
}

async function runOn(
  path: string,
  [command = '', ...args]: readonly string[],
  signal: AbortSignal,
): Promise<Ending> {
  await using file = await open(path);
  const child = spawn(command, args, {
    cwd: '/',
    env: ENVIRONMENT,
    // Standard output is a pipe: what it is decides on a program's buffers.
    stdio: ['ignore', 'pipe', 'pipe', file.fd],
    signal,
    killSignal: 'SIGKILL',
    // Away from the terminal's Ctrl-C, which is the tool's to handle.
    detached: true,
  });
  let said = '';
  let printed = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killer) => resolve({ code: code ?? killer ?? 'nothing', said, printed }));
  });
}

/** Small programs of util-linux that prepare a process and then become the program by `exec`, so that the pid stays. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { formatCpuList, readAllowedCpus } from '../llc/cpu-list.ts';
import { startProcess } from '../start-process.ts';
import { resolveProgram } from './command.ts';
import { FILTER_DESCRIPTOR } from './isolation/seccomp/filter.ts';

export interface ExecChain {
  /** Path of `taskset`; null: programs can't be pinned here. */
  readonly taskset: string | null;
  /**
   * Path of a `setpriv` that knows `--pdeathsig`; null: programs may outlive the daemon's crash until its next start.
   */
  readonly setpriv: string | null;
  /** Path of `prlimit`; null: what no control group limits isn't limited. */
  readonly prlimit: string | null;
}

/** Finds out what works here by trying it: a name may also stand for a smaller program without the option. */
export async function detectExecChain(searchPath: string): Promise<ExecChain> {
  const cpus = formatCpuList((await readAllowedCpus()) ?? [0]);
  const [taskset, setpriv, prlimit] = await Promise.all([
    findWorking('taskset', ['-c', cpus, 'true'], searchPath),
    findWorking('setpriv', ['--no-new-privs', '--pdeathsig', 'KILL', '--', 'true'], searchPath),
    findWorking('prlimit', ['--core=0:0', '--', 'true'], searchPath),
  ]);
  return { taskset, setpriv, prlimit };
}

async function findWorking(
  name: string,
  args: readonly string[],
  searchPath: string,
): Promise<string | null> {
  const found = await resolveProgram(name, searchPath, '/');
  if (!found.ok) return null;
  return (await succeeds([found.value, ...args], { PATH: searchPath })) ? found.value : null;
}

/**
 * Whether a program ends well. Its words start with an absolute path.
 * @param filterFd becomes its FILTER_DESCRIPTOR, and is closed
 */
export async function succeeds(
  words: readonly string[],
  env: Record<string, string>,
  cwd = '/',
  filterFd: number | null = null,
): Promise<boolean> {
  const [program = '', ...args] = words;
  const stdio: ('ignore' | number)[] = Array.from({ length: FILTER_DESCRIPTOR }, () => 'ignore');
  if (filterFd !== null) stdio.push(filterFd);
  // A signal that can be held off would not end one that somebody stopped.
  const options = { env, cwd, timeout: 10_000, killSignal: 'SIGKILL', stdio } as const;
  const started = await startProcess(() => spawn(program, args, options));
  if (filterFd !== null) closeSync(filterFd);
  if (!started.ok) return false;
  return new Promise((resolve) => {
    started.value.once('error', () => resolve(false)).once('exit', (code) => resolve(code === 0));
  });
}

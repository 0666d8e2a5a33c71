/** Small programs of util-linux that prepare a process and then become the program by `exec`, so that the pid stays. */
import { execFile } from 'node:child_process';
import { formatCpuList, readAllowedCpus } from '../llc/cpu-list.ts';
import { resolveProgram } from './command.ts';

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

/** Whether a program ends well. Its words start with an absolute path. */
export function succeeds(words: readonly string[], env: Record<string, string>, cwd = '/'): Promise<boolean> {
  return new Promise((resolve) => {
    const [program = '', ...args] = words;
    execFile(program, args, { env, cwd, timeout: 10_000 }, (error) => resolve(error === null));
  });
}

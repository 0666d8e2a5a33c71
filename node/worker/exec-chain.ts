/** Small programs of util-linux that prepare a process and then become the program by `exec`, so that the pid stays. */
import { execFile } from 'node:child_process';
import { formatCpuList, readAllowedCpus } from '../llc/cpu-list.ts';
import { resolveProgram } from './command.ts';

export interface ExecChain {
  /** Path of `taskset`; null: programs can't be pinned here. */
  readonly taskset: string | null;
  /** Path of a `setpriv` that knows `--pdeathsig`; null: programs may outlive the daemon's crash until its next start. */
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

/** Words that come before a program and become it, each list empty where it isn't wanted. */
export interface Wrapping {
  /** Arguments of `prlimit`. */
  readonly limits: readonly string[];
  /** Arguments of `setpriv`. */
  readonly privileges: readonly string[];
  /** The sandbox, whole. */
  readonly sandbox: readonly string[];
}

/** The whole argument vector: `program` is absolute and starts on `cpus`. Pure. */
export function chainArguments(
  chain: ExecChain,
  cpus: readonly number[],
  wrapping: Wrapping,
  program: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  const by = (tool: string | null, args: readonly string[]) =>
    tool === null || args.length === 0 ? [] : [tool, ...args];
  const pin = cpus.length === 0 ? [] : by(chain.taskset, ['-c', formatCpuList(cpus)]);
  // Limits inside the sandbox, whose user namespace counts its own processes only; and before the user changes, since
  // root may raise them. The signal of the daemon's death is last: a change of user clears it.
  const words: string[] = [
    ...pin,
    ...wrapping.sandbox,
    ...by(chain.prlimit, wrapping.limits),
    ...by(chain.setpriv, wrapping.privileges.length === 0 ? [] : [...wrapping.privileges, '--']),
    ...program,
  ];
  return words as [string, ...string[]];
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

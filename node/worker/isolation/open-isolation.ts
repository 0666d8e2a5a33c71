/** What isolation this machine can give is found out once, by trying it. */
import { chmod, chown, lstat, mkdir, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../ports.ts';
import { resolveProgram } from '../command.ts';
import { detectExecChain, succeeds } from '../exec-chain.ts';
import { CgroupTree } from './cgroup-tree.ts';
import { type IsolationParts, Isolator } from './isolator.ts';
import { resolveRunUser } from './run-user.ts';
import { Sandbox } from './sandbox.ts';
import { IsolationError, type IsolationOptions } from './types.ts';

export interface IsolationPlace {
  /** Where programs and the tools are looked for, as in PATH. */
  readonly searchPath: string;
  /** Of the working directories; made if need be. */
  readonly directory: string;
  /** Of the working directories when programs run as another user without a sandbox; made if need be. */
  readonly openDirectory: string;
  /** What no program may see in a sandbox, whatever else is shown. */
  readonly hidden: readonly string[];
  /** Names this node's control groups. */
  readonly tag: string;
}

/** @throws IsolationError: what was asked for can't be had */
export async function openIsolation(
  options: IsolationOptions,
  place: IsolationPlace,
  clock: Clock,
): Promise<Isolator> {
  const [chain, identity] = await Promise.all([
    detectExecChain(place.searchPath),
    resolveRunUser(options.runAs),
  ]);
  const notes: string[] = [];
  if (chain.taskset === null) {
    notes.push(
      'programs are not pinned to the CPUs of their domain: taskset (util-linux) does not work here',
    );
  }
  const cgroups = await openCgroups(options, {
    tag: place.tag,
    prlimit: chain.prlimit !== null,
    clock,
    notes,
  });
  const trials = new Trials(options, place, { chain, identity, sandbox: null, cgroups }, notes);
  try {
    return (await trials.sandboxed()) ?? (await trials.open());
  } catch (error) {
    await cgroups?.close();
    throw error;
  }
}

/** The ways to isolate that are tried one after the other. */
class Trials {
  readonly #options: IsolationOptions;
  readonly #place: IsolationPlace;
  readonly #parts: IsolationParts;
  readonly #notes: string[];

  constructor(options: IsolationOptions, place: IsolationPlace, parts: IsolationParts, notes: string[]) {
    this.#options = options;
    this.#place = place;
    this.#parts = parts;
    this.#notes = notes;
  }

  /** Null when there is to be or can be no sandbox. */
  async sandboxed(): Promise<Isolator | null> {
    if (this.#options.sandbox === 'off') return null;
    const found = await resolveProgram('bwrap', this.#place.searchPath, '/');
    let why = 'bubblewrap is not installed';
    if (found.ok) {
      const isolator = await this.#sandboxBy(found.value);
      if (await this.#works(isolator)) return isolator;
      why = 'bubblewrap does not work here (the kernel, or the container, may forbid namespaces)';
    }
    if (this.#options.sandbox === 'on') {
      throw new IsolationError('SANDBOX', `--sandbox on: ${why}; mend that, or say --sandbox auto or off.`);
    }
    this.#notes.push(`programs run without a sandbox: ${why}`);
    return null;
  }

  async open(): Promise<Isolator> {
    const { changes, user } = this.#parts.identity;
    const { directory, openDirectory } = this.#place;
    // Another user must be able to pass through, and only to pass through.
    const root = changes ? await makeRoot(openDirectory, 0o711) : await makeRoot(directory, 0o700);
    const isolator = new Isolator(this.#options, this.#parts, { root, notes: this.#notes });
    if (!changes || (await this.#works(isolator))) return isolator;
    throw new IsolationError(
      'WORK_DIRECTORY',
      `Programs can't be run as "${user.name}" in ${root}: install setpriv (util-linux), name a directory that this user reaches with --work-dir, or say --run-as root.`,
    );
  }

  async #sandboxBy(program: string): Promise<Isolator> {
    const { searchPath, directory, hidden } = this.#place;
    const privileged = process.geteuid?.() === 0;
    const sandbox = new Sandbox({
      program,
      network: this.#options.sandboxNetwork,
      privileged,
      dropCapabilities: privileged && !this.#parts.identity.changes,
      searchPath,
      hidden: [...hidden, directory],
    });
    const root = await makeRoot(directory, 0o700);
    return new Isolator(this.#options, { ...this.#parts, sandbox }, { root, notes: this.#notes });
  }

  /** Whether a program can write in its directory, by its absolute path, with all that is wrapped around it. */
  async #works(isolator: Isolator): Promise<boolean> {
    const { searchPath } = this.#place;
    if (isolator.owner !== null && this.#parts.chain.setpriv === null) return false;
    const shell = await resolveProgram('sh', searchPath, '/');
    if (!shell.ok) return false;
    const probe = join(isolator.root, '.probe');
    await rm(probe, { recursive: true, force: true });
    await mkdir(probe, { mode: 0o700 });
    try {
      if (isolator.owner !== null) await chown(probe, isolator.owner.uid, isolator.owner.gid);
      const words = isolator.wrap([], probe, [shell.value, '-c', ': > "$0"', join(probe, 'file')]);
      return await succeeds(words, { PATH: searchPath }, probe);
    } finally {
      await rm(probe, { recursive: true, force: true });
    }
  }
}

async function openCgroups(
  options: IsolationOptions,
  context: {
    readonly tag: string;
    readonly prlimit: boolean;
    readonly clock: Clock;
    readonly notes: string[];
  },
): Promise<CgroupTree | null> {
  if (Object.values(options.limits).every((limit) => limit === null)) return null;
  const opened = await CgroupTree.open({ tag: context.tag }, context.clock);
  if (opened.ok) return opened.value;
  const instead = context.prlimit ? 'by prlimit only' : 'and prlimit (util-linux) does not work here';
  context.notes.push(`runs are not limited by control groups, ${instead}: ${opened.error}`);
  return null;
}

/** Among directories of others only one of our own is taken: somebody could have put theirs in its place. */
async function makeRoot(directory: string, mode: number): Promise<string> {
  await mkdir(dirname(directory), { recursive: true, mode });
  try {
    await mkdir(directory);
  } catch (error) {
    const found = await (mode === 0o700 ? stat(directory) : lstat(directory)).catch(() => null);
    if (found === null) throw error;
    if (!found.isDirectory() || found.uid !== process.geteuid?.()) {
      const message = `${directory} is no directory of this node's user: remove it, or name another with --work-dir.`;
      throw new IsolationError('WORK_DIRECTORY', message);
    }
  }
  await chmod(directory, mode);
  return realpath(directory);
}

/** The words and the groups that isolate each program, of what this machine was found to give. */
import { readFileSync } from 'node:fs';
import type { Isolation } from '../../../protocols/schema/run.ts';
import { formatCpuList } from '../../llc/cpu-list.ts';
import { orNull } from '../../or-null.ts';
import { countTasks } from '../../procfs.ts';
import type { ExecChain } from '../exec-chain.ts';
import type { CgroupTree } from './cgroup-tree.ts';
import { isInside } from './installation.ts';
import { reach } from './reach.ts';
import type { RunCgroup } from './run-cgroup.ts';
import type { Identity } from './run-user.ts';
import type { RunUsers } from './run-users.ts';
import { type Sandbox, SHOWN_SECRETS } from './sandbox.ts';
import type { IsolationOptions, LentUser, RunUser } from './types.ts';
import { formatUidRange } from './uid-range.ts';

export interface IsolationParts {
  readonly chain: ExecChain;
  readonly identity: Identity;
  readonly users: RunUsers;
  readonly sandbox: Sandbox | null;
  readonly cgroups: CgroupTree | null;
}

/** What bubblewrap itself adds inside its user namespace. */
const SANDBOX_TASKS = 2;

export class Isolator implements AsyncDisposable {
  /** What the operator should know, one sentence each. */
  readonly notes: readonly string[];
  /** Of the working directories; without symbolic links. */
  readonly root: string;
  readonly #options: IsolationOptions;
  readonly #parts: IsolationParts;
  readonly #openFilesCeiling = readOpenFilesCeiling();

  constructor(
    options: IsolationOptions,
    parts: IsolationParts,
    own: { readonly root: string; readonly notes: readonly string[] },
  ) {
    this.#options = options;
    this.#parts = parts;
    this.root = own.root;
    this.notes = own.notes;
  }

  /** Whom a run in this directory goes by; null when all users are in use. Throws when the disk refuses. */
  lendUser(directory: string): Promise<LentUser | null> {
    return this.#parts.users.lend(directory);
  }

  /** Sweeps what dead daemons left under users that runs have as their own. Never rejects. */
  recoverUsers(): Promise<void> {
    return this.#parts.users.recover();
  }

  /** What of users that runs had as their own can't be swept; null: nothing. */
  get trouble(): string | null {
    return this.#parts.users.trouble;
  }

  /** Whom directories and files of its programs must belong to; null: the daemon's own user. */
  ownerOf({ user }: LentUser): RunUser | null {
    return this.#changesUser ? user : null;
  }

  get #changesUser(): boolean {
    return this.#parts.identity.kind !== 'daemon';
  }

  /** Where a program finds the secrets that are in this directory. */
  shownSecrets(directory: string): string {
    return this.sandboxed ? SHOWN_SECRETS : directory;
  }

  get sandboxed(): boolean {
    return this.#parts.sandbox !== null;
  }

  /** Whether a command of `lent` that works in `directory` may name this program by its absolute path. */
  allows(lent: LentUser, program: string, directory: string): boolean {
    const { sandbox } = this.#parts;
    if (sandbox !== null) return sandbox.allows(program, directory);
    if (!this.#changesUser || isInside(program, directory)) return true;
    return reach(program, lent.user) !== null;
  }

  get pins(): boolean {
    return this.#parts.chain.taskset !== null;
  }

  /** The whole argument vector for a program of `lent`, named by its absolute path, that works in `directory`. */
  async wrap(
    lent: LentUser,
    cpus: readonly number[],
    directory: string,
    program: readonly [string, ...string[]],
    secrets: string | null = null,
  ): Promise<readonly [string, ...string[]]> {
    const { chain, sandbox } = this.#parts;
    const by = (tool: string | null, args: readonly string[]) =>
      tool === null || args.length === 0 ? [] : [tool, ...args];
    // Limits inside the sandbox, whose user namespace counts its own processes only; and before the user changes, since
    // root may raise them. The signal of the daemon's death is last: a change of user clears it.
    const words: string[] = [
      ...by(chain.taskset, cpus.length === 0 ? [] : ['-c', formatCpuList(cpus)]),
      ...(sandbox?.wrap(directory, program[0], secrets) ?? []),
      ...by(chain.prlimit, await this.#limits(lent)),
      ...by(chain.setpriv, this.#privileges(lent)),
      ...program,
    ];
    return words as [string, ...string[]];
  }

  /** What goes with the words, as descriptor FILTER_DESCRIPTOR, to be closed when it was handed on; null: nothing. */
  openFilter(): number | null {
    return this.#parts.sandbox?.openFilter() ?? null;
  }

  /** Null where the daemon can make none. Throws when the machine has no room for more. */
  createGroup(name: string): RunCgroup | null {
    return this.#parts.cgroups?.create(name, this.#options.limits) ?? null;
  }

  /** Whether a program may speak to what listens on loopback as the daemon's own user. */
  get speaksAsDaemon(): boolean {
    return !this.#changesUser && (this.#parts.sandbox === null || this.#options.sandboxNetwork);
  }

  /** What a run has; without a user, what all have. */
  describe(lent: LentUser | null): Omit<Isolation, 'pinned'> {
    const { identity, sandbox, cgroups, chain } = this.#parts;
    const { limits, sandboxNetwork } = this.#options;
    const limited = Object.values(limits).some((limit) => limit !== null);
    const byTool = limited && chain.prlimit !== null ? 'prlimit' : 'none';
    return {
      user:
        lent?.user.name ?? (identity.kind === 'own' ? formatUidRange(identity.range) : identity.user.name),
      ownUser: identity.kind === 'own',
      limits: cgroups?.limits === true ? 'cgroup' : byTool,
      sandbox: sandbox === null ? 'none' : 'bubblewrap',
      seccomp: sandbox?.filters ?? false,
      network: sandbox === null || sandboxNetwork,
    };
  }

  get memoryLimitBytes(): number | null {
    return this.#options.limits.memoryBytes;
  }

  /** Called when no program is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.users.stop();
    this.#parts.sandbox?.close();
    await this.#parts.cgroups?.close();
  }

  /** Arguments for `setpriv`; none where nothing is to change. */
  #privileges({ user }: LentUser): string[] {
    // Bubblewrap itself takes away new privileges, and dies with the daemon.
    if (!this.#changesUser)
      return this.#parts.sandbox === null ? ['--no-new-privs', '--pdeathsig', 'KILL', '--'] : [];
    const become = ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
    const drop = ['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'];
    return [...become, ...drop, '--pdeathsig', 'KILL', '--'];
  }

  /**
   * Arguments for `prlimit`: limits that the kernel holds per process or per user (getrlimit(2)); control groups hold
   * more. Core files are never written: they would hold memory of the program, and fill the disk.
   */
  async #limits(lent: LentUser): Promise<string[]> {
    const { openFiles, memoryBytes, processes, fileBytes } = this.#options.limits;
    const limits: [string, number | null][] = [
      ['core', 0],
      ['fsize', fileBytes],
      ['nofile', openFiles && Math.min(openFiles, this.#openFilesCeiling)],
    ];
    if (this.#parts.cgroups?.limits !== true) {
      const counted = processes === null ? null : await this.#countTasks(lent);
      // Not the address space: run-times reserve far more of it than they ever use.
      limits.push(['data', memoryBytes]);
      if (processes !== null && counted !== null) limits.push(['nproc', processes + counted]);
    }
    return limits.flatMap(([name, value]) => (value === null ? [] : [`--${name}=${value}:${value}`]));
  }

  /**
   * Processes that count before the first of the run: the kernel counts all of one user, in one user namespace. Null:
   * the limit is of no effect for this user (root).
   */
  async #countTasks({ user: { uid }, own }: LentUser): Promise<number | null> {
    if (uid === 0) return null;
    if (own) return 0;
    if (this.#parts.sandbox !== null && !this.#changesUser) return SANDBOX_TASKS;
    // Each time anew: what a run before left as zombies counts until somebody has waited for it.
    return countTasks(uid);
  }
}

/** The hard limit of open files of this process, beyond which a run's can't be raised. */
function readOpenFilesCeiling(): number {
  const limits = orNull(() => readFileSync('/proc/self/limits', 'latin1')) ?? '';
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
}

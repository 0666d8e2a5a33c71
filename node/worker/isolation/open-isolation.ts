/** What isolation this machine can give is found out once, by trying it. */
import { execFile } from 'node:child_process';
import { chmod, chown, lstat, mkdir, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { isFull } from '../../disk/space.ts';
import type { Clock, Logger } from '../../ports.ts';
import { resolveProgram } from '../command.ts';
import { detectExecChain, succeeds } from '../exec-chain.ts';
import { removeTree } from '../remove-tree.ts';
import { CgroupTree } from './cgroup-tree.ts';
import { type IsolationParts, Isolator } from './isolator.ts';
import { type Identity, resolveIdentity, warningOf } from './run-user.ts';
import { OwnUsers, oneUser, type RunUsers } from './run-users.ts';
import { Sandbox } from './sandbox.ts';
import { filterFor } from './seccomp/filter.ts';
import { FilterFile } from './seccomp/filter-file.ts';
import { IsolationError, type IsolationOptions, type LentUser } from './types.ts';
import { formatUidRange } from './uid-range.ts';

/** Told with a sandbox that filters nothing. */
export const UNFILTERED =
  'system calls of programs are not filtered: seccomp does not work here, or not on this architecture';

const run = promisify(execFile);

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
  /** Of the claims on users that runs have as their own, of all daemons of the machine; made if need be. */
  readonly claimsDirectory: string;
}

export interface IsolationDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws IsolationError: what was asked for can't be had */
export async function openIsolation(
  options: IsolationOptions,
  place: IsolationPlace,
  dependencies: IsolationDependencies,
): Promise<Isolator> {
  const [chain, identity] = await Promise.all([
    detectExecChain(place.searchPath),
    resolveIdentity(options.runAs),
  ]);
  const notes: string[] = [];
  if (chain.taskset === null) {
    notes.push(
      'programs are not pinned to the CPUs of their domain: taskset (util-linux) does not work here',
    );
  }
  const { clock } = dependencies;
  const cgroups = await openCgroups(options, place.tag, { chain, clock, notes });
  const trial: Trial = { options, place, parts: { chain, identity, cgroups }, dependencies, notes };
  try {
    return (await openSandboxed(trial)) ?? (await openPlain(trial));
  } catch (error) {
    await cgroups?.close();
    throw error;
  }
}

/** The ways to isolate are tried one after the other. */
interface Trial {
  readonly options: IsolationOptions;
  readonly place: IsolationPlace;
  readonly parts: Omit<IsolationParts, 'sandbox' | 'users'>;
  readonly dependencies: IsolationDependencies;
  readonly notes: string[];
}

/** Null when there is to be or can be no sandbox. */
async function openSandboxed(trial: Trial): Promise<Isolator | null> {
  const { options, place, notes } = trial;
  if (options.sandbox === 'off') return null;
  const found = await resolveProgram('bwrap', place.searchPath, '/');
  let why = 'bubblewrap is not installed';
  if (found.ok) {
    const root = await makeRoot(place.directory, 0o700);
    const program = filterFor(process.arch);
    const filter = program && new FilterFile(root, program);
    for (const tried of filter === null ? [null] : [filter, null]) {
      const isolator = await sandboxBy(found.value, trial, root, tried);
      if (await works(isolator, trial)) {
        return isolator;
      }
      tried?.close();
    }
    why = 'bubblewrap does not work here (the kernel, or the container, may forbid namespaces)';
  }
  if (options.sandbox === 'on') {
    throw new IsolationError('SANDBOX', `--sandbox on: ${why}; mend that, or say --sandbox auto or off.`);
  }
  notes.push(`programs run without a sandbox: ${why}`);
  return null;
}

async function openPlain(trial: Trial): Promise<Isolator> {
  const { place, parts } = trial;
  const { identity } = parts;
  const changes = identity.kind !== 'daemon';
  // Another user must be able to pass through, and only to pass through.
  const root = changes ? await makeRoot(place.openDirectory, 0o711) : await makeRoot(place.directory, 0o700);
  const isolator = await isolatorOf(trial, null, root);
  if (!changes || (await works(isolator, trial))) return isolator;
  const user = identity.kind === 'own' ? formatUidRange(identity.range) : `"${identity.user.name}"`;
  throw new IsolationError(
    'WORK_DIRECTORY',
    `programs can't be run as ${user} in ${root}: install setpriv (util-linux), name a directory that others reach with --work-dir, or say --run-as root`,
  );
}

async function sandboxBy(
  program: string,
  trial: Trial,
  root: string,
  filter: FilterFile | null,
): Promise<Isolator> {
  const { options, place, parts } = trial;
  const { searchPath, directory, hidden } = place;
  const privileged = process.geteuid?.() === 0;
  const sandbox = new Sandbox({
    program,
    network: options.sandboxNetwork,
    filter,
    disablesUserNamespaces: (await readHelp(program)).includes('--disable-userns'),
    privileged,
    dropCapabilities: privileged && parts.identity.kind === 'daemon',
    searchPath,
    hidden: [...hidden, directory],
  });
  return isolatorOf(trial, sandbox, root);
}

/** What this version can do is told nowhere else. */
async function readHelp(program: string): Promise<string> {
  return run(program, ['--help']).then(
    ({ stdout, stderr }) => stdout + stderr,
    () => '',
  );
}

async function isolatorOf(trial: Trial, sandbox: Sandbox | null, root: string): Promise<Isolator> {
  const { options, parts } = trial;
  const shared = warningOf(parts.identity, sandbox !== null);
  const unfiltered = sandbox?.filters === false ? UNFILTERED : null;
  const notes = [...trial.notes, ...[shared, unfiltered].filter((note) => note !== null)];
  const users = await openUsers(trial, sandbox === null);
  return new Isolator(options, { ...parts, users, sandbox }, { root, notes });
}

async function openUsers({ place, parts, dependencies }: Trial, reachesShared: boolean): Promise<RunUsers> {
  const { identity } = parts;
  if (identity.kind !== 'own') return oneUser(identity.user);
  const { searchPath } = place;
  const claimsDirectory = await makeRoot(place.claimsDirectory, 0o700);
  return new OwnUsers({ range: identity.range, claimsDirectory, searchPath, reachesShared }, dependencies);
}

/**
 * Whether a program can write in its directory, by its absolute path, with all that is wrapped around it. On a full
 * disk only whether it can be run at all: nobody can write there, and that says nothing against the isolation.
 */
async function works(isolator: Isolator, { place, parts, dependencies }: Trial): Promise<boolean> {
  const lent = forTrial(parts.identity);
  const owner = isolator.ownerOf(lent);
  const { searchPath } = place;
  if (owner !== null && parts.chain.setpriv === null) return false;
  const shell = await resolveProgram('sh', searchPath, '/');
  if (!shell.ok) return false;
  const probe = join(isolator.root, '.probe');
  const tryIn = async (directory: string, script: string, ...args: string[]): Promise<boolean> => {
    const words = await isolator.wrap(lent, [], directory, [shell.value, '-c', script, ...args]);
    return succeeds(words, { PATH: searchPath }, directory, isolator.openFilter());
  };
  try {
    await removeTree(probe);
    await mkdir(probe, { mode: 0o700 });
    await writeFile(join(probe, 'room'), 'room');
    if (owner !== null) await chown(probe, owner.uid, owner.gid);
    return await tryIn(probe, ': > "$0"', join(probe, 'file'));
  } catch (error) {
    if (!isFull(error)) throw error;
    dependencies.logger.error(
      { err: error, directory: isolator.root },
      'the disk of the working directories is full: free some space there; no program can be run until then',
    );
    return await tryIn(isolator.root, ':');
  } finally {
    await removeTree(probe);
  }
}

/** Of a range the last: where a container has only so many ids, it is the first to be missing. */
function forTrial(identity: Identity): LentUser {
  const release = async () => undefined;
  if (identity.kind !== 'own') return { user: identity.user, own: false, release };
  const { last } = identity.range;
  return { user: { name: String(last), uid: last, gid: last }, own: true, release };
}

async function openCgroups(
  { limits }: IsolationOptions,
  tag: string,
  {
    chain,
    clock,
    notes,
  }: Pick<IsolationParts, 'chain'> & { readonly clock: Clock; readonly notes: string[] },
): Promise<CgroupTree | null> {
  if (Object.values(limits).every((limit) => limit === null)) return null;
  const opened = await CgroupTree.open({ tag }, clock);
  if (opened.ok) return opened.value;
  const instead = chain.prlimit === null ? 'and prlimit (util-linux) does not work here' : 'by prlimit only';
  notes.push(`runs are not limited by control groups, ${instead}: ${opened.error}`);
  return null;
}

/** Among directories of others only one of our own is taken: somebody could have put theirs in its place. */
async function makeRoot(directory: string, mode: number): Promise<string> {
  await mkdir(dirname(directory), { recursive: true, mode: 0o711 });
  try {
    await mkdir(directory);
  } catch (error) {
    const found = await (mode === 0o700 ? stat(directory) : lstat(directory)).catch(() => null);
    if (found === null) throw error;
    if (!found.isDirectory() || found.uid !== process.geteuid?.()) {
      const message = `${directory} is no directory of this node's user: remove it, or name another with --work-dir`;
      throw new IsolationError('WORK_DIRECTORY', message);
    }
  }
  await chmod(directory, mode);
  return realpath(directory);
}

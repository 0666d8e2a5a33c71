/**
 * Kills everything that belongs to an attempt: its process group, its session, what carries its marks in the
 * environment, what stands in its working directory, and all children of these, until none is left. A program
 * would have to clear its environment, leave the directory and its session and lose its parent, all of them, to escape.
 * One with a user of its own can't: whatever is that user's is of the attempt, and all of it is killed at one blow.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { pause } from '../pause.ts';
import type { Clock, Logger } from '../ports.ts';
import {
  listProcesses,
  type ProcessEntry,
  readEnvironment,
  readOwner,
  readProcess,
  readWorkingDirectory,
} from '../procfs.ts';
import { actAs, type Ids } from './act-as.ts';

/** How the processes of an attempt are known. */
export interface AttemptMarks {
  readonly runId: string;
  readonly attempt: number;
  /** Absolute path without symbolic links. */
  readonly directory: string;
  /** The process that was started, leader of its group and session; null when it isn't known. */
  readonly root: { readonly pid: number; readonly startTicks: number } | null;
  /** Whose processes are all of this attempt; null: it shares its user with others. */
  readonly user: Ids | null;
}

export interface ReaperDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

const ROUND_MS = 2;
/**
 * So much of what programs wrote about themselves is read in one turn of the event loop, and so many processes are
 * looked at: a program can have hundreds, each with an environment of megabytes.
 */
const BYTES_AT_A_TIME = 1024 * 1024;
const PROCESSES_AT_A_TIME = 64;
/** Processes that can't be killed (stuck in the kernel, or another user's) are given up after about this long. */
const GIVE_UP_MS = 5000;
/** A shell that kills takes a few milliseconds, unless it is stopped. */
const BLOW_LIMIT_MS = 500;
/** Node takes longer to start, and nobody but root can stop it then. */
const HUNT_LIMIT_MS = 3000;
/** Nobody's, for ever: the -1 of 16 bits; `--run-uids` can't name it. */
const NOBODYS_UID = 65_535;

/** Resolves when nothing of the attempt is alive; false when something could not be killed. */
export async function killAttempt(marks: AttemptMarks, dependencies: ReaperDependencies): Promise<boolean> {
  const { clock, logger } = dependencies;
  const names = { runId: marks.runId, attempt: marks.attempt };
  const deadline = clock.monotonicMs() + GIVE_UP_MS;
  const known = new Map<number, ProcessEntry>();
  const strike = marks.user === null ? null : strikeAt(marks.user);
  for (let clean = false; ; ) {
    const root = findRoot(marks);
    const list = await listProcesses(marks.root?.startTicks ?? 0);
    if (list === null) {
      if (root !== null) signal(-root);
      logger.warn(names, 'only the process group of a run could be killed');
      return false;
    }
    const { entries, torn } = list;
    const members = await findMembers(entries, { marks, root, known });
    const living = members.filter((entry) => entry.alive);
    // What forks and ends again and again may hide between two looks; one clean look is enough where nothing moved.
    // The dead of a user of its own tell that there was such a process.
    const moved = torn || known.size > 0 || (marks.user !== null && members.length > 0);
    if (living.length === 0 && (clean || !moved)) return true;
    clean = living.length === 0;
    if (clock.monotonicMs() > deadline) {
      const pids = living.map((entry) => entry.pid);
      logger.warn({ ...names, pids }, 'processes of a run can not be killed');
      return living.length === 0;
    }
    killMembers(living, root, known);
    await strike?.();
    await pause(clock, ROUND_MS);
  }
}

/** After the look, never before: once the root is dead its descendants have lost the parent by which they are found. */
function killMembers(
  living: readonly ProcessEntry[],
  root: number | null,
  known: Map<number, ProcessEntry>,
): void {
  for (const entry of living) known.set(entry.pid, entry);
  // One signal reaches every process of the group, also those being forked right now.
  if (root !== null && living.some((entry) => entry.group === root)) signal(-root);
  for (const entry of living) if (entry.group !== root) killProcess(entry);
}

/**
 * Number of the group and session of the attempt. The kernel doesn't give it to another process while the group has
 * members, so that it is valid without its leader too; null once another process has it.
 */
function findRoot(marks: AttemptMarks): number | null {
  if (marks.root === null) return null;
  const leader = readProcess(marks.root.pid);
  return leader === null || leader.startTicks === marks.root.startTicks ? marks.root.pid : null;
}

/** Looks again just before the signal, since the number may by now name another process. */
function killProcess(entry: ProcessEntry): void {
  if (readProcess(entry.pid)?.startTicks === entry.startTicks) signal(entry.pid);
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already, or not ours to kill: the next round tells.
  }
}

/** Resolves when no process of the user is alive; false when one could not be killed. */
export async function killUser(user: Ids, { clock, logger }: ReaperDependencies): Promise<boolean> {
  const deadline = clock.monotonicMs() + GIVE_UP_MS;
  const strike = strikeAt(user);
  for (;;) {
    const reached = await strike();
    const list = await listProcesses(0);
    const living = list?.entries.filter(({ alive, pid }) => alive && readOwner(pid) === user.uid);
    if (reached && living?.length === 0) return true;
    if (clock.monotonicMs() > deadline) {
      logger.warn(
        { uid: user.uid, pids: living?.map(({ pid }) => pid) },
        'processes of a run can not be killed',
      );
      return false;
    }
    for (const entry of living ?? []) killProcess(entry);
    await pause(clock, ROUND_MS);
  }
}

/**
 * Strikes with the rights of the user itself, whom kill(2) lets reach each of its processes in one step: also what forks
 * and ends faster than anybody can look. False when that may have come to nothing: a shell of theirs they can stop or
 * kill, too. The next blows then are of one whom they can't reach.
 */
function strikeAt(user: Ids): () => Promise<boolean> {
  if (user.uid === 0) throw new Error('root is no user of one run');
  let resisted = false;
  return async () => {
    const reached = await (resisted ? hunt(user) : blow(user)).catch(() => false);
    resisted ||= !reached;
    return reached;
  };
}

/** Tells that the signal was sent, or that there was nobody to get it; the status of no shell, `setpriv` or Node. */
const STRUCK = 42;

async function blow(user: Ids): Promise<boolean> {
  const script = `kill -s KILL -- -1; exit ${STRUCK}`;
  return (await actAs(user, ['sh', '-c', script], { cwd: '/', timeoutMs: BLOW_LIMIT_MS })) === STRUCK;
}

/**
 * A process may send signals to whom its real or effective user is, and be sent them by whom its real or saved user is
 * (kill(2)). This one takes on their user as its effective one only, and kills with nobody's as its real one: all of
 * theirs, and nothing of root's. No exec may follow, which would save the effective user; so it is no shell.
 */
async function hunt({ uid }: Ids): Promise<boolean> {
  const script = `process.seteuid(${uid});
if (process.getuid() !== ${NOBODYS_UID} || process.geteuid() !== ${uid}) process.exit(1);
try { process.kill(-1, 'SIGKILL'); } catch (error) { if (error.code !== 'ESRCH') throw error; }
process.exit(${STRUCK});`;
  const words = ['setpriv', '--ruid', String(NOBODYS_UID), '--', process.execPath, '-e', script] as const;
  return (await actAs(null, [...words], { cwd: '/', timeoutMs: HUNT_LIMIT_MS })) === STRUCK;
}

interface Search {
  readonly marks: AttemptMarks;
  readonly root: number | null;
  readonly known: ReadonlyMap<number, ProcessEntry>;
}

async function findMembers(
  processes: readonly ProcessEntry[],
  { marks, root, known }: Search,
): Promise<ProcessEntry[]> {
  const members = new Set<number>();
  if (root !== null) members.add(root);
  let left = BYTES_AT_A_TIME;
  const see = (bytes: number): void => {
    left -= bytes;
  };
  for (const entry of processes) {
    see(BYTES_AT_A_TIME / PROCESSES_AT_A_TIME);
    if (left <= 0) {
      await breathe();
      left = BYTES_AT_A_TIME;
    }
    if (known.get(entry.pid)?.startTicks === entry.startTicks || isMarked(entry, { marks, root, see })) {
      members.add(entry.pid);
    }
  }
  // Children may stand before their parents in the list, so until nothing changes.
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const entry of processes) if (members.has(entry.parent)) members.add(entry.pid);
  }
  return processes.filter((entry) => members.has(entry.pid));
}

/** @param see is told how much was read */
function isMarked(
  entry: ProcessEntry,
  { marks, root, see }: Pick<Search, 'marks' | 'root'> & { readonly see: (bytes: number) => void },
): boolean {
  if (entry.pid === root || entry.group === root || entry.session === root) return true;
  // What a process says of itself proves nothing then: a neighbour could wear the marks of this run.
  if (marks.user !== null) return readOwner(entry.pid) === marks.user.uid;
  const directory = readWorkingDirectory(entry.pid);
  if (directory === marks.directory || directory?.startsWith(`${marks.directory}/`)) return true;
  const environment = readEnvironment(entry.pid);
  see(environment?.length ?? 0);
  if (environment === null || !environment.includes(`FSCHED_RUN_ID=${marks.runId}\0`)) return false;
  if (!environment.includes(`FSCHED_ATTEMPT=${marks.attempt}\0`)) return false;
  // Another daemon on this machine may carry out the same attempt for the master of another term.
  const name = marks.directory.slice(marks.directory.lastIndexOf('/'));
  const home = /(?:^|\0)TMPDIR=([^\0]*)\0/.exec(environment.toString('latin1'))?.[1];
  return (
    home === undefined || !home.endsWith(name) || home === Buffer.from(marks.directory).toString('latin1')
  );
}

/**
 * What programs keep on disk, counted by `find` (findutils): another process, so that the event loop only adds up, and
 * one that goes from directory to directory by descriptors and follows no link, however deep the tree and whatever the
 * program exchanges meanwhile.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { USUAL_PATH } from '../search-path.ts';

export interface DiskUsage {
  /** In blocks that are taken: a sparse file counts for what is in it, one with several names once. */
  readonly bytes: number;
  /** Files, directories and whatever else has an inode. */
  readonly files: number;
}

/** A user and the name that its files are to be counted for. */
export interface Person {
  readonly uid: number;
  readonly name: string;
}

/** A process and the name that its files are to be counted for. */
export interface Member {
  readonly pid: number;
  readonly name: string;
}

const BLOCK_BYTES = 512;
/** Programs could make this take long, but no longer. */
const LIMIT_MS = 60_000;
/** What others of the machine keep in places that everybody may write isn't bounded. */
const SHARED_LIMIT_MS = 10_000;

/** Whether there is a `find` that can count; busybox has one that can't. */
export async function canMeasure(): Promise<boolean> {
  const lines: string[] = [];
  return (await find('/', ['/', '-maxdepth', '0', '-printf', '%b %i %D %H\\n'], (line) => lines.push(line)))
    ? lines.length === 1
    : false;
}

/** Of each of the directories `names` in `root`; null when it could not be told. */
export async function measureTrees(
  root: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, DiskUsage> | null> {
  const tally = new Tally(names);
  // Root may look everywhere. Who isn't root gives himself back what a program took away: it is the same user.
  const reopen =
    process.geteuid?.() === 0
      ? []
      : [
          '-type',
          'd',
          '!',
          '(',
          '-readable',
          '-executable',
          ')',
          '-execdir',
          'chmod',
          'u+rwx',
          '{}',
          ';',
          ',',
        ];
  const single = ['(', '-type', 'd', '-o', '-links', '1', ')'];
  const print = [...single, '-printf', '%H %b\\n', '-o', '-printf', '%H %b %i\\n'];
  const done = await find(
    root,
    [...names.map((name) => `./${name}`), '-xdev', ...reopen, ...print],
    (line) => {
      const [name = '', blocks, inode] = line.split(' ');
      tally.add(name.slice(2), Number(blocks), inode);
    },
  );
  return done ? tally.usages : null;
}

/**
 * What processes hold open although it has no name any more, on the file system of number `device`. What only hangs in
 * a mapping, or is under way through a socket, isn't seen.
 */
export async function measureUnlinked(
  members: readonly Member[],
  device: number,
): Promise<ReadonlyMap<string, DiskUsage> | null> {
  const tally = new Tally(members.map(({ name }) => name));
  if (members.length === 0) return tally.usages;
  const names = new Map(members.map(({ pid, name }) => [`/proc/${pid}/fd`, name]));
  const what = ['-maxdepth', '1', '-type', 'f', '-links', '0', '-printf', '%H %b %i %D\\n'];
  const done = await find('/', ['-L', ...names.keys(), ...what], (line) => {
    const [place = '', blocks, inode, there] = line.split(' ');
    if (Number(there) === device) tally.add(names.get(place) ?? '', Number(blocks), inode);
  });
  return done ? tally.usages : null;
}

/** What belongs to each of these users in places that everybody may write. */
export async function measureShared(
  places: readonly string[],
  people: readonly Person[],
): Promise<ReadonlyMap<string, DiskUsage> | null> {
  const tally = new Tally(people.map(({ name }) => name));
  const names = new Map(people.map(({ uid, name }) => [String(uid), name]));
  const theirs = people.flatMap(({ uid }, index) => [...(index === 0 ? [] : ['-o']), '-uid', String(uid)]);
  const args = [...places, '-xdev', '(', ...theirs, ')', '-printf', '%U %b %i\\n'];
  const done = await find(
    '/',
    args,
    (line) => {
      const [uid = '', blocks, inode] = line.split(' ');
      tally.add(names.get(uid) ?? '', Number(blocks), inode);
    },
    SHARED_LIMIT_MS,
  );
  return done ? tally.usages : null;
}

class Tally {
  readonly usages = new Map<string, { bytes: number; files: number }>();
  readonly #seen = new Set<string>();

  constructor(names: readonly string[]) {
    for (const name of names) this.usages.set(name, { bytes: 0, files: 0 });
  }

  /** @param inode given when it may come again under another name */
  add(name: string, blocks: number, inode: string | undefined): void {
    const usage = this.usages.get(name);
    if (usage === undefined || !Number.isSafeInteger(blocks)) return;
    if (inode !== undefined) {
      const key = `${name} ${inode}`;
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
    }
    usage.bytes += blocks * BLOCK_BYTES;
    usage.files += 1;
  }
}

/** False when it could not be run to its end; what vanishes meanwhile is no matter. */
async function find(
  cwd: string,
  args: readonly string[],
  onLine: (line: string) => void,
  timeout = LIMIT_MS,
): Promise<boolean> {
  const child = spawn('find', args, {
    cwd,
    env: { PATH: USUAL_PATH, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout,
    killSignal: 'SIGKILL',
  });
  const closed = once(child, 'close');
  let rest = '';
  // No name that a program gave is printed, so that each line is whole and short.
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  try {
    const [, signal] = await closed;
    return signal === null;
  } catch {
    return false;
  }
}

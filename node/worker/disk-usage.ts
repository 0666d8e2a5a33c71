/**
 * What programs keep on disk, counted by `find` (findutils): another process, so that the event loop only adds up, and
 * one that goes from directory to directory by descriptors and follows no link, however deep the tree and whatever the
 * program exchanges meanwhile.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { orNull } from '../or-null.ts';
import { USUAL_PATH } from '../search-path.ts';
import { startProcess } from '../start-process.ts';

export interface DiskUsage {
  /** In blocks that are taken: a sparse file counts for what is in it, one with several names once. */
  readonly bytes: number;
  /** Names of files, directories and whatever else has an inode: one with several names counts with each. */
  readonly files: number;
}

export interface Count extends DiskUsage {
  /** False: it was not counted to its end, and there may be more. */
  readonly isWhole: boolean;
}

/** Where a count ends, whatever there is still to count: programs can make it as long as they like. */
export interface Bounds {
  /** Names; null: as many as there are. */
  readonly files: number | null;
  readonly ms: number;
}

/** A user and the name that its files are to be counted for. */
export interface Person {
  readonly uid: number;
  readonly name: string;
}

const BLOCK_BYTES = 512;
const TRIAL_MS = 60_000;
/** Who is stopped waits for no more than this. */
const OWNERS_LIMIT_MS = 120_000;

/** Whether there is a `find` that can count; busybox has one that can't. */
export async function canMeasure(): Promise<boolean> {
  let lines = 0;
  const args = ['/', '-maxdepth', '0', '-printf', '%b %i %D %U\\n'];
  return (await find('/', args, () => ++lines <= 1, TRIAL_MS)) === 'whole' && lines === 1;
}

/** Of the directory `name` in `root`; null when nothing could be counted. */
export async function measureTree(root: string, name: string, bounds: Bounds): Promise<Count | null> {
  const sum = new Sum();
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
  const print = [...single, '-printf', '%b\\n', '-o', '-printf', '%b %i\\n'];
  return sum.end(
    await find(
      root,
      [`./${name}`, '-xdev', ...reopen, ...print],
      (line) => {
        const [blocks, inode] = line.split(' ');
        sum.add(Number(blocks), inode);
        return isWithin(sum.files, bounds);
      },
      bounds.ms,
    ),
  );
}

/**
 * What processes hold open or mapped although it has no name any more, on the file systems of numbers `devices`. Only
 * root is shown what hangs in a mapping alone; what is under way through a socket nobody is.
 */
export async function measureUnlinked(
  pids: readonly number[],
  devices: ReadonlySet<number>,
  bounds: Bounds,
): Promise<Count | null> {
  const sum = new Sum();
  if (pids.length === 0) return sum.end('whole');
  const places = pids.flatMap((pid) => [`/proc/${pid}/fd`, `/proc/${pid}/map_files`]);
  const what = ['-maxdepth', '1', '-type', 'f', '-links', '0', '-printf', '%b %i %D\\n'];
  // One file may be open or mapped any number of times.
  let lines = 0;
  return sum.end(
    await find(
      '/',
      ['-L', ...places, ...what],
      (line) => {
        const [blocks, inode = '', device] = line.split(' ');
        if (devices.has(Number(device)) && !sum.knows(`${device} ${inode}`))
          sum.add(Number(blocks), `${device} ${inode}`);
        return isWithin(++lines, bounds);
      },
      bounds.ms,
    ),
  );
}

/** What belongs to each of these users in a place where everybody may write; null when nothing could be counted. */
export async function measureShared(
  place: string,
  people: readonly Person[],
  bounds: Bounds,
): Promise<ReadonlyMap<string, Count> | null> {
  const sums = new Map(people.map(({ uid }) => [String(uid), new Sum()]));
  const theirs = people.flatMap(({ uid }, index) => [...(index === 0 ? [] : ['-o']), '-uid', String(uid)]);
  const args = [place, '-xdev', '(', ...theirs, ')', '-printf', '%U %b %i\\n'];
  const ending = await find(
    '/',
    args,
    (line) => {
      const [uid = '', blocks, inode] = line.split(' ');
      const sum = sums.get(uid);
      sum?.add(Number(blocks), inode);
      return isWithin(sum?.files ?? 0, bounds);
    },
    bounds.ms,
  );
  if (ending === 'failed') return null;
  return new Map(
    people.map(({ uid, name }) => {
      const { bytes = 0, files = 0 } = sums.get(String(uid)) ?? {};
      return [name, { bytes, files, isWhole: ending === 'whole' }] as const;
    }),
  );
}

/**
 * Which of the users own anything in these places, which are there and none of theirs, by one look for all; null when it
 * could not be told.
 */
export async function findOwners(
  places: readonly string[],
  uids: readonly number[],
): Promise<ReadonlySet<number> | null> {
  const [first] = places;
  if (first === undefined || uids.length === 0) return new Set();
  const owners = new Set<number>();
  const theirs = uids.flatMap((uid) => ['-o', '-uid', String(uid)]);
  // A `find` that can't print like this says nothing of the first place either.
  const args = [...places, '-xdev', '(', '-path', first, ...theirs, ')', '-printf', '%U\\n'];
  const note = (line: string): boolean => {
    owners.add(Number(line));
    return true;
  };
  const ending = await find('/', args, note, OWNERS_LIMIT_MS);
  return ending === 'whole' && owners.size > 0 ? owners : null;
}

const isWithin = (files: number, bounds: Bounds): boolean => bounds.files === null || files <= bounds.files;

class Sum {
  bytes = 0;
  files = 0;
  readonly #seen = new Set<string>();

  /** @param inode given when it may come again under another name: its blocks count once */
  add(blocks: number, inode: string | undefined): void {
    if (!Number.isSafeInteger(blocks)) return;
    this.files += 1;
    if (inode !== undefined && this.knows(inode)) return;
    if (inode !== undefined) this.#seen.add(inode);
    this.bytes += blocks * BLOCK_BYTES;
  }

  knows(inode: string): boolean {
    return this.#seen.has(inode);
  }

  end(ending: Ending): Count | null {
    if (ending === 'failed') return null;
    return { bytes: this.bytes, files: this.files, isWhole: ending === 'whole' };
  }
}

/** Cut: it was killed, and what it had told till then is less than there is. Failed: it could not be run. */
type Ending = 'whole' | 'cut' | 'failed';

/**
 * What vanishes meanwhile is no matter.
 * @param onLine false: that is enough
 */
async function find(
  cwd: string,
  args: readonly string[],
  onLine: (line: string) => boolean,
  limitMs: number,
): Promise<Ending> {
  const started = await startProcess(() =>
    spawn('find', args, {
      cwd,
      env: { PATH: USUAL_PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    }),
  );
  if (!started.ok) return 'failed';
  const child = started.value;
  const closed = once(child, 'close');
  // Before the programs that it counts: hundreds of their processes must not hold it up. Only root may.
  orNull(() => setPriority(child.pid, constants.priority.PRIORITY_HIGHEST));
  let rest = '';
  let isEnough = false;
  // No name that a program gave is printed, so that each line is whole and short.
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (lines.every(onLine)) return;
    isEnough = true;
    child.kill('SIGKILL');
    child.stdout.destroy();
  });
  try {
    const [, signal] = await closed;
    return signal === null && !isEnough ? 'whole' : 'cut';
  } catch {
    return 'failed';
  }
}

/** What procfs says of the processes of this machine (proc_pid_stat(5), proc_pid_environ(5), proc_pid_status(5)). */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, statSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { orNull } from './or-null.ts';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks since boot; with the pid it names a process for ever. */
  readonly startTicks: number;
  /** False for a zombie, which runs no more and only waits to be reaped. */
  readonly alive: boolean;
}

export interface ProcessList {
  readonly entries: readonly ProcessEntry[];
  /** Whether a process vanished while the table was read: one that it forked just before may be missing, too. */
  readonly torn: boolean;
}

/** Files are read synchronously, which is far cheaper than a trip through the thread pool, but so many at a time. */
const AT_A_TIME = 64;

/**
 * Every process that started at `sinceTicks` or later, but this one; null when `/proc` can't be listed (no descriptors
 * left, or no Linux).
 */
export async function listProcesses(sinceTicks: number): Promise<ProcessList | null> {
  const pids = listPids();
  if (pids === null) return null;
  const entries: ProcessEntry[] = [];
  let torn = false;
  for (const [index, pid] of pids.entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await breathe();
    const entry = readProcess(pid);
    if (entry === null) torn = true;
    else if (entry.startTicks >= sinceTicks && pid !== process.pid) entries.push(entry);
  }
  return { entries, torn };
}

/** Threads of all processes of `uid`, as the kernel counts them for RLIMIT_NPROC; 0 where there is no `/proc`. */
export async function countTasks(uid: number): Promise<number> {
  let count = 0;
  for (const [index, pid] of (listPids() ?? []).entries()) {
    if (index % AT_A_TIME === AT_A_TIME - 1) await breathe();
    try {
      if (statSync(`/proc/${pid}`).uid !== uid) continue;
      count += Number(/^Threads:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 1);
    } catch {
      // It has ended since.
    }
  }
  return count;
}

function listPids(): number[] | null {
  const names = orNull(() => readdirSync('/proc'));
  return names?.filter((name) => /^\d/.test(name)).map(Number) ?? null;
}

/** Null when there is no such process (any more). */
export function readProcess(pid: number): ProcessEntry | null {
  const text = readStat(pid);
  return text === null ? null : parseStat(pid, text);
}

/** Shared by all reads, which are synchronous: with hundreds of processes this is half the time of a sweep. */
const STAT = Buffer.alloc(4096);

function readStat(pid: number): string | null {
  const length = readInto(STAT, `/proc/${pid}/stat`);
  return length === null ? null : STAT.toString('latin1', 0, length);
}

/** Reads no more than the buffer takes; null when the file may not be read. */
function readInto(buffer: Buffer, path: string): number | null {
  let fd: number | null = null;
  try {
    fd = openSync(path, 'r');
    return readSync(fd, buffer, 0, buffer.length, 0);
  } catch {
    return null;
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** The fields after the name, which stands in parentheses and may contain anything, also parentheses. */
function parseStat(pid: number, text: string): ProcessEntry | null {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 20) return null;
  const number = (field: number) => Number(fields[field - 3]);
  const state = fields[0];
  return {
    pid,
    parent: number(4),
    group: number(5),
    session: number(6),
    startTicks: number(22),
    // A process whose first thread has ended looks like a zombie while its other threads go on.
    alive: (state !== 'Z' && state !== 'X') || number(20) > 1,
  };
}

/** The effective user; null when the process has gone. */
export function readOwner(pid: number): number | null {
  return orNull(() => statSync(`/proc/${pid}`).uid);
}

/**
 * A program may give itself megabytes of environment. What the node gives one has 100 KiB of parameters at most, and is
 * handed on in any order.
 */
const ENVIRONMENT = Buffer.alloc(256 * 1024);

/**
 * The beginning of the environment that the process was started with, valid until the next call; null when it may not
 * be read. Who hides marks behind more than that could as well clear them.
 */
export function readEnvironment(pid: number): Buffer | null {
  const length = readInto(ENVIRONMENT, `/proc/${pid}/environ`);
  return length === null ? null : ENVIRONMENT.subarray(0, length);
}

/**
 * Bytes that the process and what it has waited for sent to disks, less what was deleted before it got there; 0 when it
 * may not be read (proc_pid_io(5)).
 */
export function readWrittenBytes(pid: number): number {
  const length = readInto(STAT, `/proc/${pid}/io`);
  const text = length === null ? '' : STAT.toString('latin1', 0, length);
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return Math.max(0, field('write_bytes') - field('cancelled_write_bytes'));
}

export function readWorkingDirectory(pid: number): string | null {
  return orNull(() => readlinkSync(`/proc/${pid}/cwd`));
}

/** Tells one boot of the machine from another. */
export function readBootId(): string {
  return orNull(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'))?.trim() ?? '';
}

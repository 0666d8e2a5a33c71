/**
 * The resctrl filesystem as a port. Paths are relative to its mount point, without a leading slash ('' is the
 * root group). Two adapters: the real directory, and an emulator that answers as the kernel does.
 *
 * Facts of the kernel's behaviour: Documentation/filesystems/resctrl.rst and recorded transcripts.
 */

// biome-ignore format: one name a line would say no more
export const ERRNOS = [
  'EINVAL', 'ENOENT', 'EEXIST', 'ENOSPC', 'EBUSY', 'EPERM', 'ESRCH', 'EACCES',
  'ENODEV', 'EIO', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ERANGE', 'EOVERFLOW', 'E2BIG',
] as const;
export type Errno = (typeof ERRNOS)[number];

/** The kernel refused. The errno decides; `lastCmdStatus` only explains, and may be stale. */
export class ResctrlError extends Error {
  override readonly name = 'ResctrlError';
  readonly code: Errno;
  readonly operation: string;
  readonly lastCmdStatus: string | null;

  constructor(code: Errno, operation: string, lastCmdStatus: string | null, cause?: unknown) {
    const why = lastCmdStatus === null ? '' : `: ${lastCmdStatus}`;
    super(`resctrl refused ${operation} with ${code}${why}`, { cause });
    this.code = code;
    this.operation = operation;
    this.lastCmdStatus = lastCmdStatus;
  }
}

export interface ResctrlFs extends AsyncDisposable {
  /** Whole text, with its newlines. @throws ResctrlError */
  read(path: string): Promise<string>;
  /** One write(2) of exactly these bytes. @throws ResctrlError */
  write(path: string, text: string): Promise<void>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** Names in a directory, without `.` and `..`. */
  list(path: string): Promise<string[]>;
  /** Runs `work` under the one lock of this filesystem; see `ResctrlLock.hold`, also for `refused`. */
  locked<T>(work: () => Promise<T>, refused?: (cause: unknown) => T): Promise<T>;
}

/** Null when the kernel refused it with one of `codes`. */
export async function nullIf<T>(codes: readonly Errno[], work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ResctrlError && codes.includes(error.code)) return null;
    throw error;
  }
}

export const readIfThere = (fs: ResctrlFs, path: string): Promise<string | null> =>
  nullIf(['ENOENT', 'ENOTDIR', 'ENODEV', 'EISDIR'], fs.read(path));

/** @param group '' is the root group */
export const inGroup = (group: string, name: string): string => (group === '' ? name : `${group}/${name}`);

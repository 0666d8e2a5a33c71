/**
 * The resctrl filesystem as a port. Paths are relative to its mount point, without a leading slash ('' is the
 * root group). Two adapters: the real directory, and an emulator that answers as the kernel does.
 *
 * Facts of the kernel's behaviour: Documentation/filesystems/resctrl.rst and recorded transcripts.
 */

export type Errno =
  | 'EINVAL'
  | 'ENOENT'
  | 'EEXIST'
  | 'ENOSPC'
  | 'EBUSY'
  | 'EPERM'
  | 'ESRCH'
  | 'EACCES'
  | 'ENODEV'
  | 'EIO'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'ENOTEMPTY'
  | 'ERANGE'
  | 'EOVERFLOW'
  | 'E2BIG';

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
  /** Holds flock(2) on the root directory while `work` runs: exclusive to change, shared to read. */
  locked<T>(mode: 'exclusive' | 'shared', work: () => Promise<T>): Promise<T>;
}

/** What keeps a program from the machine, from the daemon and from other programs. */

import type { UidRange } from './uid-range.ts';

/** A user of this machine, by number since names are looked up by programs that differ. */
export interface RunUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Whom an attempt runs as, from before its directory is made until nothing of it is left. */
export interface LentUser {
  readonly user: RunUser;
  /** Whether nobody else has it, so that whatever it owns is of this attempt. */
  readonly own: boolean;
  /** Sweeps what was left under a user of its own. Never rejects. */
  release(): Promise<void>;
}

/** Of one run; null: not limited. */
export interface RunLimits {
  /** By control group: all processes of the run together. By prlimit: writable private memory of each process. */
  readonly memoryBytes: number | null;
  /** CPUs' worth of time, such as 1.5; only by control group. */
  readonly cpus: number | null;
  /** Processes and threads. */
  readonly processes: number | null;
  /** Of each process. */
  readonly openFiles: number | null;
  /** Of each file that it writes; what it keeps in all is watched (`disk-watch.ts`). */
  readonly fileBytes: number | null;
}

export interface IsolationOptions {
  /** Name or number of one user for all; a range: each attempt has its own; null: the daemon's own user. */
  readonly runAs: string | UidRange | null;
  readonly sandbox: 'auto' | 'on' | 'off';
  /** Whether programs in the sandbox reach the network. */
  readonly sandboxNetwork: boolean;
  readonly limits: RunLimits;
}

export type IsolationErrorCode = 'USER' | 'SANDBOX' | 'WORK_DIRECTORY';

/** What the operator asked for can't be had here; `message` says what to do. */
export class IsolationError extends Error {
  override readonly name = 'IsolationError';
  readonly code: IsolationErrorCode;

  constructor(code: IsolationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const UNLIMITED: RunLimits = {
  memoryBytes: null,
  cpus: null,
  processes: null,
  openFiles: null,
  fileBytes: null,
};

/** What the launcher does when nobody asks for more: the daemon's own user, without limits or sandbox. */
export const PLAIN: IsolationOptions = {
  runAs: null,
  sandbox: 'off',
  sandboxNetwork: false,
  limits: UNLIMITED,
};

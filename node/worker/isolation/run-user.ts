/** The user that programs run as: never root unless told so in so many words. */
import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import { orNull } from '../../or-null.ts';
import { IsolationError, type RunUser } from './types.ts';

const run = promisify(execFile);

/** Whom programs run as where the daemon is root and nobody says otherwise. */
const UNPRIVILEGED = 'nobody';

export interface Identity {
  readonly user: RunUser;
  /** Whether the daemon must change its user to become it. */
  readonly changes: boolean;
}

/** What the operator's choice comes to: `nobody` where the daemon is root and nobody says otherwise. */
export function chooseRunAs(configured: string | null): string | null {
  return configured ?? (process.geteuid?.() === 0 ? UNPRIVILEGED : null);
}

/** Null is the daemon's own user. @throws IsolationError USER: there is none such, or the daemon may not become it */
export async function resolveRunUser(runAs: string | null): Promise<Identity> {
  const own = ownUser();
  if (runAs === null) return { user: own, changes: false };
  const user = await lookUp(runAs);
  if (user === null) {
    throw new IsolationError(
      'USER',
      `there is no user "${runAs}" on this machine to run programs as; make it, or name another with --run-as`,
    );
  }
  if (user.uid === own.uid) return { user, changes: false };
  if (own.uid !== 0) {
    throw new IsolationError(
      'USER',
      `only root can run programs as another user: leave --run-as out, or start the node as root or as "${runAs}"`,
    );
  }
  return { user, changes: true };
}

/** A user without a name in the tables of the machine (as in a container) goes by its number. */
function ownUser(): RunUser {
  const [uid, gid] = [process.geteuid?.() ?? -1, process.getegid?.() ?? -1];
  return { name: orNull(() => userInfo().username) ?? String(uid), uid, gid };
}

/** By `id`, which also knows the users that a directory service keeps. */
async function lookUp(name: string): Promise<RunUser | null> {
  if (!/^[A-Za-z0-9_][\w.@-]*\$?$/.test(name)) return null;
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (what) => Number((await run('id', [what, '--', name])).stdout)),
    );
    if (uid === undefined || gid === undefined || !Number.isInteger(uid) || !Number.isInteger(gid))
      return null;
    return { name, uid, gid };
  } catch {
    return null;
  }
}

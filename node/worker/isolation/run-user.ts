/** The users that programs run as: never root unless told so in so many words. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';
import type { NodeConfig } from '../../config/config.ts';
import { orNull } from '../../or-null.ts';
import { IsolationError, type IsolationOptions, type RunUser } from './types.ts';
import { DEFAULT_RUN_UIDS, findTaken, formatUidRange, type UidRange } from './uid-range.ts';

const run = promisify(execFile);

/** The daemon's own user, another for all runs, or one of a range for each. */
export type Identity =
  | { readonly kind: 'daemon' | 'other'; readonly user: RunUser }
  | { readonly kind: 'own'; readonly range: UidRange };

/** What the operator's choice comes to: users of their own where the daemon is root and nobody says otherwise. */
export function chooseRunAs({
  runAs,
  runUids,
}: Pick<NodeConfig, 'runAs' | 'runUids'>): IsolationOptions['runAs'] {
  return runAs ?? runUids ?? (process.geteuid?.() === 0 ? DEFAULT_RUN_UIDS : null);
}

/** @throws IsolationError USER: there is none such, it is somebody's already, or the daemon may not become it */
export async function resolveIdentity(runAs: IsolationOptions['runAs']): Promise<Identity> {
  const own = ownUser();
  if (runAs === null) return { kind: 'daemon', user: own };
  if (typeof runAs !== 'string') return { kind: 'own', range: await checkRange(runAs) };
  const user = runAs === own.name ? own : await lookUp(runAs);
  if (user === null) {
    throw new IsolationError(
      'USER',
      `there is no user "${runAs}" on this machine to run programs as; make it, or name another with --run-as`,
    );
  }
  if (user.uid === own.uid) return { kind: 'daemon', user };
  if (own.uid !== 0) {
    throw new IsolationError(
      'USER',
      `only root can run programs as another user: leave --run-as out, or start the node as root or as "${runAs}"`,
    );
  }
  return { kind: 'other', user };
}

/** What follows for the node and its programs from who they are; null: nothing that an operator must know. */
export function warningOf(identity: Identity, sandboxed: boolean): string | null {
  if (identity.kind === 'own') return null;
  const { name, uid } = identity.user;
  if (identity.kind === 'other') {
    const deeds = sandboxed ? '' : ', and can read, write and kill each other';
    return `runs are not kept apart: all of them are ${name}'s${deeds}; leave --run-as out`;
  }
  if (sandboxed) return null;
  const rights =
    uid === 0 ? 'have all rights on this machine' : 'can read its token and keys and act in its place';
  return `programs run as the user of the node (${name}) without a sandbox and ${rights}: install bubblewrap, or start the node as root without --run-as`;
}

async function checkRange(range: UidRange): Promise<UidRange> {
  const ids = formatUidRange(range);
  if (process.geteuid?.() !== 0) {
    throw new IsolationError(
      'USER',
      `only root can give runs users of their own: leave --run-uids ${ids} out`,
    );
  }
  const read = (path: string) => readFile(path, 'utf8').catch(() => '');
  const [users, groups, ...subIds] = await Promise.all([
    readTable('passwd'),
    readTable('group'),
    read('/etc/subuid'),
    read('/etc/subgid'),
  ]);
  const taken = findTaken(range, { users, groups, subIds: subIds.join('\n') });
  if (taken === null) return range;
  throw new IsolationError(
    'USER',
    `the ids ${ids} of runs are not free: ${taken} has some of them; name a free range with --run-uids FIRST-LAST`,
  );
}

/** By `getent`, which also knows what a directory service lists. */
async function readTable(name: 'passwd' | 'group'): Promise<string> {
  const listed = run('getent', [name], { maxBuffer: 64 * 1024 ** 2, timeout: 10_000 }).then(
    ({ stdout }) => stdout,
  );
  return listed.catch(() => readFile(`/etc/${name}`, 'utf8').catch(() => ''));
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

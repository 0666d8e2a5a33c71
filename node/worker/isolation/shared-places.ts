/** What a run without a sandbox may leave where everybody on the machine may write. */
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { USUAL_PATH } from '../../search-path.ts';
import type { RunUser } from './types.ts';

type Ids = Pick<RunUser, 'uid' | 'gid'>;

export const SHARED_DIRECTORIES = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock'];
/** Tables of System V IPC, the column of their ids, and the option of `ipcrm` that takes one (proc_sysvipc(5)). */
const IPC_TABLES = [
  ['shm', 'shmid', '-m'],
  ['msg', 'msqid', '-q'],
  ['sem', 'semid', '-s'],
] as const;
/** Whoever wrote there is dead: it is only a matter of time. */
const LIMIT_MS = 600_000;

/**
 * Removes what belongs to the user, all of whose processes are dead. With its own rights only: root would follow a name
 * that a neighbour exchanges. @throws when something is left
 */
export async function removeShared(user: Ids): Promise<void> {
  const there = await Promise.all(
    SHARED_DIRECTORIES.map((path) =>
      access(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  const own = [...there.flat(), '-xdev', '-mindepth', '1', '-uid', String(user.uid)];
  const remove = async () =>
    (await runAs(user, 'find', [...own, '(', '-delete', '-o', '-print', '-quit', ')'])).out === '';
  if (!(await remove())) {
    // Before it goes into each.
    await runAs(user, 'find', [
      ...own,
      '-type',
      'd',
      '!',
      '-perm',
      '-700',
      '-exec',
      'chmod',
      'u+rwx',
      '{}',
      ';',
    ]);
    if (!(await remove())) throw new Error(`files of user ${user.uid} stay in ${there.flat().join(', ')}`);
  }
  const ipc = await findIpc(user.uid);
  if (ipc.length > 0 && !(await runAs(user, 'ipcrm', ipc)).ok) {
    throw new Error(`System V IPC of user ${user.uid} could not be removed by ipcrm (util-linux)`);
  }
}

async function findIpc(uid: number): Promise<string[]> {
  const found = await Promise.all(
    IPC_TABLES.map(async ([table, column, option]) => {
      const text = await readFile(`/proc/sysvipc/${table}`, 'latin1').catch(() => '');
      const [head = '', ...rows] = text.split('\n').map((line) => line.trim().split(/\s+/));
      const [idAt, uidAt] = [head.indexOf(column), head.indexOf('uid')];
      return rows.filter((row) => row[uidAt] === String(uid)).flatMap((row) => [option, row[idAt] ?? '']);
    }),
  );
  return found.flat();
}

/** The status of `find` says nothing: it may not look everywhere. */
function runAs(
  { uid, gid }: Ids,
  program: string,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly out: string }> {
  const env = { PATH: USUAL_PATH, LC_ALL: 'C' };
  const options = { uid, gid, cwd: '/', env, timeout: LIMIT_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, out) => {
      if (error !== null && typeof error.code !== 'number' && !error.killed) reject(error);
      else resolve({ ok: error === null, out });
    });
  });
}

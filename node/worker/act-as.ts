/**
 * Helpers with the rights of a run's user. What that user has alive may stop or kill them at any moment: so each is
 * bounded in time, and ended by root.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { USUAL_PATH } from '../search-path.ts';

export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

export interface HelperOptions {
  readonly cwd: string;
  readonly timeoutMs: number;
}

/**
 * Runs a helper as `user`, or as the daemon's own (null). Resolves to its exit status; null: it was killed, by its user
 * or for its time.
 *
 * It is `setpriv` that becomes the user, in a process of its own: with the options of `spawn` the child would change
 * its user before its exec, for which the daemon waits with all that it does, and which programs of that user could
 * stop.
 */
export async function actAs(
  user: Ids | null,
  words: readonly [string, ...string[]],
  { cwd, timeoutMs }: HelperOptions,
): Promise<number | null> {
  const [program, ...args] = user === null ? words : (['setpriv', ...becoming(user), ...words] as const);
  const child = spawn(program, args, {
    cwd,
    env: { PATH: USUAL_PATH, LC_ALL: 'C' },
    stdio: 'ignore',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const [code] = await once(child, 'exit');
  return code;
}

const becoming = ({ uid, gid }: Ids): string[] => [
  ...['--reuid', String(uid)],
  ...['--regid', String(gid)],
  '--clear-groups',
  '--',
];

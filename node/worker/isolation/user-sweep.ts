/**
 * What runs leave under users of their own: processes, working directories, secrets, System V IPC, and files in
 * directories that everybody may write.
 */
import type { Clock, Logger } from '../../ports.ts';
import { atATime } from '../at-a-time.ts';
import { killUser } from '../reaper.ts';
import { removeTree } from '../remove-tree.ts';
import { removeSecrets } from '../secret-files.ts';
import { SharedPlaces } from './shared-places.ts';
import type { Orphan } from './uid-claims.ts';

/**
 * Resolves to those of whom nothing is left; never rejects.
 * @param shared whether they reached what everybody on the machine may write
 */
export type UserSweep = (orphans: readonly Orphan[], shared: boolean) => Promise<readonly Orphan[]>;

const AT_A_TIME = 4;

export function userSweep(dependencies: { readonly clock: Clock; readonly logger: Logger }): UserSweep {
  const { logger } = dependencies;
  const places = new SharedPlaces();
  /** Those for whom `task` succeeds. */
  const each = async (orphans: readonly Orphan[], task: (orphan: Orphan) => Promise<boolean>) => {
    const done = new Set<Orphan>();
    await atATime(AT_A_TIME, orphans, async (orphan) => {
      try {
        if (await task(orphan)) done.add(orphan);
      } catch (err) {
        logger.warn({ err, ...orphan }, 'files of a run can not be removed');
      }
    });
    return orphans.filter((orphan) => done.has(orphan));
  };
  return async (orphans, shared) => {
    // All of them first: one that lives might hinder what removes the files of its user.
    const dead = await each(orphans, ({ uid }) => killUser({ uid, gid: uid }, dependencies));
    const homeless = await each(dead, async ({ directory }) => {
      await removeSecrets(directory);
      await removeTree(directory);
      return true;
    });
    if (!shared || homeless.length === 0) return homeless;
    try {
      const stuck = await places.remove(homeless.map(({ uid }) => ({ uid, gid: uid })));
      if (stuck.size > 0) logger.warn({ uids: [...stuck] }, 'files of runs stay where everybody may write');
      return homeless.filter(({ uid }) => !stuck.has(uid));
    } catch (err) {
      logger.warn({ err }, 'files of runs that everybody may write can not be removed');
      return [];
    }
  };
}

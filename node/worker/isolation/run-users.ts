/**
 * The users of this node's runs. Where each has its own, what a run leaves under it is swept before another gets it:
 * processes, working directory, System V IPC, and files in directories that everybody may write.
 */
import type { Clock, Logger } from '../../ports.ts';
import { killUser } from '../reaper.ts';
import { removeTree } from '../remove-tree.ts';
import { removeSecrets } from '../secret-files.ts';
import { removeShared } from './shared-places.ts';
import type { LentUser, RunUser } from './types.ts';
import { type Orphan, UidClaims } from './uid-claims.ts';
import { UidPool, type UidRange } from './uid-range.ts';

export interface RunUsers {
  /** For a run that will work in `directory`; null when all are in use. Throws when the disk refuses. */
  lend(directory: string): Promise<LentUser | null>;
  /** Sweeps what dead daemons left, this node's last one among them. Never rejects. */
  recover(): Promise<void>;
}

/** One user for all runs. */
export function oneUser(user: RunUser): RunUsers {
  const lent = { user, own: false, release: async () => undefined };
  return { lend: async () => lent, recover: async () => undefined };
}

export interface OwnUsersOptions {
  readonly range: UidRange;
  /** Root's alone, and there already. */
  readonly claimsDirectory: string;
  readonly searchPath: string;
  /** Whether runs reach what everybody on the machine may write. */
  readonly reachesShared: boolean;
}

export class OwnUsers implements RunUsers {
  readonly #options: OwnUsersOptions;
  readonly #pool: UidPool;
  readonly #claims: UidClaims;
  /** What could not be swept. */
  readonly #stuck = new Set<Orphan>();
  readonly #deps: { readonly clock: Clock; readonly logger: Logger };

  constructor(options: OwnUsersOptions, dependencies: { readonly clock: Clock; readonly logger: Logger }) {
    this.#options = options;
    this.#pool = new UidPool(options.range);
    this.#claims = new UidClaims({ ...options, directory: options.claimsDirectory });
    this.#deps = dependencies;
  }

  async lend(directory: string): Promise<LentUser | null> {
    const found = this.#lend(directory);
    if (found !== null) return found;
    // A daemon may have died since with many of them; and what withstood once may give way now.
    await this.recover();
    await Promise.all([...this.#stuck].map((orphan) => this.#release(orphan)));
    return this.#lend(directory);
  }

  async recover(): Promise<void> {
    try {
      // Whether its runs had a sandbox isn't known.
      await this.#claims.recover((orphan) => this.#sweep(orphan, true));
    } catch (err) {
      this.#deps.logger.warn({ err }, 'users of runs that a dead daemon left can not be swept');
    }
  }

  #lend(directory: string): LentUser | null {
    for (let left = this.#pool.size; left > 0; left--) {
      const uid = this.#pool.take();
      if (uid === null) break;
      let claimed = false;
      try {
        claimed = this.#claims.claim({ uid, directory });
      } finally {
        if (!claimed) this.#pool.give(uid);
      }
      if (!claimed) continue;
      return {
        user: { name: String(uid), uid, gid: uid },
        own: true,
        release: () => this.#release({ uid, directory }),
      };
    }
    return null;
  }

  /** Until nothing of it is left nobody gets it. */
  async #release(orphan: Orphan): Promise<void> {
    this.#stuck.add(orphan);
    try {
      if (!(await this.#sweep(orphan, this.#options.reachesShared))) return;
      this.#claims.withdraw(orphan.uid);
      this.#stuck.delete(orphan);
      this.#pool.give(orphan.uid);
    } catch (err) {
      this.#deps.logger.warn({ err, ...orphan }, 'user of a run can not be given back');
    }
  }

  /** Whether nothing is left. */
  async #sweep({ uid, directory }: Orphan, shared: boolean): Promise<boolean> {
    const user = { uid, gid: uid };
    const { clock, logger } = this.#deps;
    if (!(await killUser(user, { clock, logger }))) return false;
    try {
      await removeSecrets(directory);
      await removeTree(directory);
      if (shared) await removeShared(user);
      return true;
    } catch (err) {
      logger.warn({ err, ...user }, 'files of a run can not be removed');
      return false;
    }
  }
}

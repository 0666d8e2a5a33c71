/**
 * The users of this node's runs. Where each has its own, what a run leaves under it is swept before another gets it; and
 * what can't be swept is tried again, less and less often, and told meanwhile.
 */
import { backOff } from '../../back-off.ts';
import type { Cancel, Clock, Logger } from '../../ports.ts';
import { atATime } from '../at-a-time.ts';
import type { LentUser, RunUser } from './types.ts';
import { type Orphan, UidClaims } from './uid-claims.ts';
import { UidPool, type UidRange } from './uid-range.ts';
import { type UserSweep, userSweep } from './user-sweep.ts';

export interface RunUsers {
  /** For a run that will work in `directory`; null when all are in use. Throws when the disk refuses. */
  lend(directory: string): Promise<LentUser | null>;
  /** Sweeps what dead daemons left, this node's last one among them. Never rejects. */
  recover(): Promise<void>;
  /** What its operator must mend; null: nothing. */
  readonly trouble: string | null;
  /** Tries nothing again. */
  stop(): void;
}

/** One user for all runs. */
export function oneUser(user: RunUser): RunUsers {
  const lent = { user, own: false, release: async () => undefined };
  return { lend: async () => lent, recover: async () => undefined, trouble: null, stop: () => undefined };
}

export interface OwnUsersOptions {
  readonly range: UidRange;
  /** Root's alone, and there already. */
  readonly claimsDirectory: string;
  readonly searchPath: string;
  /** Whether runs reach what everybody on the machine may write. */
  readonly reachesShared: boolean;
}

export interface OwnUsersDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default userSweep */
  readonly sweep?: UserSweep;
}

/**
 * Sweeps what dead daemons of this machine left under users of runs. Resolves to those of whom something stays; null: it
 * can't be told. Never rejects.
 */
export async function recoverClaims(
  claims: UidClaims,
  { sweep, logger }: Pick<Required<OwnUsersDependencies>, 'sweep' | 'logger'>,
): Promise<readonly Orphan[] | null> {
  try {
    // Whether its runs had a sandbox isn't known.
    return await claims.recover((orphans) => sweep(orphans, true));
  } catch (err) {
    logger.warn({ err }, 'users of runs that a dead daemon left can not be swept');
    return null;
  }
}

const AGAIN = { firstMs: 10_000, longestMs: 3_600_000 };
const RETRIES_AT_A_TIME = 4;

export class OwnUsers implements RunUsers {
  readonly #options: OwnUsersOptions;
  readonly #pool: UidPool;
  readonly #claims: UidClaims;
  readonly #deps: Required<OwnUsersDependencies>;
  /** Those that are being given back, by their ids: a second sweep would kill the next run of that user. */
  readonly #releases = new Map<number, Promise<void>>();
  /** Those of this daemon that could not be swept. */
  readonly #stuck = new Map<number, Orphan>();
  /** Those of dead daemons that could not be swept. */
  #orphans: readonly Orphan[] = [];
  #recovery: Promise<void> | null = null;
  #trying: Promise<void> | null = null;
  #failures = 0;
  #cancel: Cancel | null = null;
  #isStopped = false;

  constructor(options: OwnUsersOptions, dependencies: OwnUsersDependencies) {
    this.#options = options;
    this.#pool = new UidPool(options.range);
    this.#claims = new UidClaims({ ...options, directory: options.claimsDirectory });
    this.#deps = { sweep: userSweep(dependencies), ...dependencies };
  }

  get trouble(): string | null {
    const [first] = [...this.#stuck.values(), ...this.#orphans];
    if (first === undefined) return null;
    const count = this.#stuck.size + this.#orphans.length;
    const what = count === 1 ? 'the user of a run that is over' : `${count} users of runs that are over`;
    return `${what} can't be given to others, such as ${first.uid}, for what is left of it: its log says why, and the node tries again`;
  }

  async lend(directory: string): Promise<LentUser | null> {
    const found = this.#lend(directory);
    if (found !== null) return found;
    // A daemon may have died since with many of them; and what withstood once may give way now.
    await this.recover();
    void this.#tryAgain();
    for (;;) {
      const freed = this.#lend(directory);
      if (freed !== null) return freed;
      // One is enough.
      const underWay = [...this.#releases.values(), ...(this.#trying === null ? [] : [this.#trying])];
      if (underWay.length === 0) return null;
      await Promise.race(underWay);
    }
  }

  recover(): Promise<void> {
    this.#recovery ??= this.#recover().finally(() => {
      this.#recovery = null;
    });
    return this.#recovery;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  async #recover(): Promise<void> {
    this.#orphans = (await recoverClaims(this.#claims, this.#deps)) ?? this.#orphans;
    this.#schedule();
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
      let released: Promise<void> | null = null;
      return {
        user: { name: String(uid), uid, gid: uid },
        own: true,
        release: () => {
          released ??= this.#release({ uid, directory });
          return released;
        },
      };
    }
    return null;
  }

  #release(orphan: Orphan): Promise<void> {
    const { uid } = orphan;
    const underWay = this.#releases.get(uid);
    if (underWay !== undefined) return underWay;
    const release = this.#giveBack(orphan).finally(() => this.#releases.delete(uid));
    this.#releases.set(uid, release);
    return release;
  }

  /** Until nothing of it is left nobody gets it. */
  async #giveBack(orphan: Orphan): Promise<void> {
    const { uid } = orphan;
    try {
      if ((await this.#deps.sweep([orphan], this.#options.reachesShared)).length > 0) {
        this.#claims.withdraw(uid);
        this.#stuck.delete(uid);
        this.#pool.give(uid);
        return;
      }
    } catch (err) {
      this.#deps.logger.warn({ err, ...orphan }, 'user of a run can not be given back');
    }
    if (!this.#stuck.has(uid)) {
      this.#failures = 0;
      this.#cancel?.();
      this.#cancel = null;
    }
    this.#stuck.set(uid, orphan);
    this.#schedule();
  }

  #tryAgain(): Promise<void> {
    const stuck = [...this.#stuck.values()];
    this.#trying ??= atATime(RETRIES_AT_A_TIME, stuck, (orphan) => this.#release(orphan)).finally(() => {
      this.#trying = null;
    });
    return this.#trying;
  }

  #schedule(): void {
    if (this.#isStopped || this.#cancel !== null) return;
    if (this.#stuck.size + this.#orphans.length === 0) return;
    this.#cancel = this.#deps.clock.after(backOff(AGAIN, this.#failures++), () => {
      this.#cancel = null;
      void this.recover().then(() => this.#tryAgain());
    });
  }
}

/** What runs without a sandbox may leave where everybody on the machine may write. */
import { access, readFile } from 'node:fs/promises';
import { Turns } from '../../turns.ts';
import { actAs, type Ids } from '../act-as.ts';
import { atATime } from '../at-a-time.ts';
import { findOwners } from '../disk-usage.ts';

export const SHARED_DIRECTORIES = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock'];
/** Tables of System V IPC, the column of their ids, and the option of `ipcrm` that takes one (proc_sysvipc(5)). */
const IPC_TABLES = [
  ['shm', 'shmid', '-m'],
  ['msg', 'msqid', '-q'],
  ['sem', 'semid', '-s'],
] as const;
/** Whoever wrote there is dead: it is only a matter of time. */
const LIMIT_MS = 120_000;
const USERS_AT_A_TIME = 4;

export interface SharedPlacesDependencies {
  /** @default SHARED_DIRECTORIES */
  readonly places?: readonly string[];
  /** @default by `find` */
  readonly findOwners?: typeof findOwners;
}

export class SharedPlaces {
  readonly #places: readonly string[];
  readonly #findOwners: typeof findOwners;
  /** Whom the next look is for. */
  readonly #asked = new Set<number>();
  #next: Promise<ReadonlySet<number>> | null = null;
  readonly #looks = new Turns();

  constructor(dependencies: SharedPlacesDependencies = {}) {
    this.#places = dependencies.places ?? SHARED_DIRECTORIES;
    this.#findOwners = dependencies.findOwners ?? findOwners;
  }

  /**
   * Removes what belongs to these users, all of whose processes are dead. Resolves to those of whom something is left,
   * be it for another's sake: what that one has left in their directories may have to go first.
   * @throws when it can't be told
   */
  async remove(users: readonly Ids[]): Promise<ReadonlySet<number>> {
    let left = await this.#ofWhom(users);
    const places = await this.#present();
    for (const opened of [false, true]) {
      await atATime(USERS_AT_A_TIME, left, async (user) => {
        if (opened) await open(user, places);
        await remove(user, places);
      });
      left = left.length === 0 ? left : await this.#ofWhom(left);
    }
    const stuck = new Set(left.map(({ uid }) => uid));
    await atATime(USERS_AT_A_TIME, users, async (user) => {
      if (!(await removeIpc(user))) stuck.add(user.uid);
    });
    return stuck;
  }

  /**
   * By one look for all who ask before it begins, and one look at a time: what it takes is not theirs to waste, and
   * others measure on this machine. Root only reads here: it would follow a name that a neighbour exchanges.
   */
  async #ofWhom(users: readonly Ids[]): Promise<readonly Ids[]> {
    for (const { uid } of users) this.#asked.add(uid);
    this.#next ??= this.#looks.take(() => this.#look());
    const owners = await this.#next;
    return users.filter(({ uid }) => owners.has(uid));
  }

  async #look(): Promise<ReadonlySet<number>> {
    const uids = [...this.#asked];
    this.#asked.clear();
    this.#next = null;
    const owners = await this.#findOwners(await this.#present(), uids);
    if (owners === null) throw new Error(`it can't be told what runs left in ${this.#places.join(', ')}`);
    return owners;
  }

  async #present(): Promise<string[]> {
    const there = this.#places.map((path) =>
      access(path).then(
        () => path,
        () => null,
      ),
    );
    return (await Promise.all(there)).filter((path) => path !== null);
  }
}

/**
 * With the user's rights only, and all of them: what others put into its directories, which they may no longer reach,
 * goes with these. Inside the directory that holds it, where no name of a parent can be exchanged.
 */
async function remove(user: Ids, places: readonly string[]): Promise<void> {
  await findAs(user, places, ['-prune', '-execdir', 'rm', '-rf', '--', '{}', '+']);
}

/** Before it goes into each. For others too, who couldn't get at what they left inside, and all else there is gone. */
async function open(user: Ids, places: readonly string[]): Promise<void> {
  const closed = ['-type', 'd', '!', '-perm', '-755'];
  await findAs(user, places, [...closed, '-execdir', 'chmod', 'u+rwx,go+rx', '{}', ';']);
}

/** What it says means nothing: it may not look everywhere. */
async function findAs(user: Ids, places: readonly string[], deeds: readonly string[]): Promise<void> {
  if (places.length === 0) return;
  const own = ['-xdev', '-mindepth', '1', '-uid', String(user.uid)];
  await actAs(user, ['find', ...places, ...own, ...deeds], { cwd: '/', timeoutMs: LIMIT_MS });
}

/** False when some is left. */
async function removeIpc(user: Ids): Promise<boolean> {
  const ipc = await findIpc(user.uid);
  return ipc.length === 0 || (await actAs(user, ['ipcrm', ...ipc], { cwd: '/', timeoutMs: LIMIT_MS })) === 0;
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

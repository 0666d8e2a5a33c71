/** Ranges of user ids that runs have as their own, and who else has ids there. Pure. */

/** From `first` to `last`, both of them too; a group of the same number goes with each user. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Nobody's: above the users of people (to 60000, login.defs), systemd's homes (to 60513) and greeters (to 60705), below
 * its dynamic users (from 61184) and what Debian hands out one by one (from 64000). Containers and sub-ids begin at
 * 65536 and 100000; and the 65,536 ids that a container usually has include these.
 */
export const DEFAULT_RUN_UIDS: UidRange = { first: 60_800, last: 61_183 };

export const formatUidRange = ({ first, last }: UidRange): string => `${first}-${last}`;

/** The tables of users and groups, and those of sub-ids, as text; empty for one that there isn't. */
export interface IdTables {
  /** Lines of passwd(5). */
  readonly users: string;
  /** Lines of group(5). */
  readonly groups: string;
  /** Lines of subuid(5) and subgid(5). */
  readonly subIds: string;
}

/** Who has ids in the range already, for a sentence; null: nobody. */
export function findTaken(range: UidRange, { users, groups, subIds }: IdTables): string | null {
  const named = (what: string, table: string) =>
    table.split('\n').flatMap((line) => {
      const [name = '', , id = ''] = line.split(':');
      return isNumber(id) && overlaps(range, Number(id), 1) ? [`the ${what} "${name}" (${id})`] : [];
    });
  const lent = subIds.split('\n').flatMap((line) => {
    const [name = '', first = '', count = ''] = line.split(':');
    if (!isNumber(first) || !isNumber(count) || !overlaps(range, Number(first), Number(count))) return [];
    return [`the sub-ids of "${name}" (from ${first})`];
  });
  return [...named('user', users), ...named('group', groups), ...lent][0] ?? null;
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

const overlaps = (range: UidRange, first: number, count: number): boolean =>
  first <= range.last && first + count - 1 >= range.first;

/** Ids that nobody has now. The one that was given back the longest ago is taken first. */
export class UidPool {
  readonly #free: number[];

  constructor({ first, last }: UidRange) {
    this.#free = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  get size(): number {
    return this.#free.length;
  }

  take(): number | null {
    return this.#free.shift() ?? null;
  }

  give(uid: number): void {
    this.#free.push(uid);
  }
}

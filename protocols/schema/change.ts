/**
 * Whether a task has changed its behaviour, by the times of its runs.
 *
 * THIS RULE IS FROZEN. The replicated tables remember changes (`node/state/run-times.ts`), so all nodes must see the
 * same ones: it is rule 1, and holds for commands of format 1 (`node/state/commands.ts`). A tuned rule is another one,
 * beside this, for the next format. `test/unit/protocols/change.test.ts` holds it to what it said.
 */
import { median, quartileSpread, spread } from './statistics.ts';

/** Another level of a task's times. */
export interface Change {
  /** Of the first run on the new level. */
  readonly sinceMs: number;
  readonly ways: number;
  /** Whether the ways were held: other times in held ways speak of the cache as well. */
  readonly held: boolean;
  /** Typical seconds on the level that was believed, and now. */
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
}

/** Times that can be compared with each other: the same machine, ways and enforcement. */
export interface Series {
  readonly ways: number;
  readonly held: boolean;
  /** Oldest first. */
  readonly times: readonly { readonly seconds: number; readonly atMs: number }[];
}

interface Rule {
  /** The last so many have to agree with each other. */
  readonly recent: number;
  /** So many have to have been believed before. */
  readonly believed: number;
  /** By this share they have to differ from them. */
  readonly share: number;
}

const HELD: Rule = { recent: 5, believed: 5, share: 0.25 };
/** Where nothing holds the ways, neighbours make a program slower for a while: that is no change of its own. */
const UNHELD: Rule = { recent: 10, believed: 10, share: 0.5 };
/** Differences within so many spreads are chance. */
const BY_CHANCE = 3;

export const changeRule = (held: boolean): Rule => (held ? HELD : UNHELD);

/**
 * How the last times differ from those before (or from `believed`, what another measurement says of them); null: they
 * don't.
 */
export function changeOf(series: Series, believed: readonly number[] | null = null): Change | null {
  const rule = changeRule(series.held);
  const recent = series.times.slice(-rule.recent);
  const first = recent[0];
  if (first === undefined || recent.length < rule.recent) return null;
  const older = believed ?? series.times.slice(0, -rule.recent).map((time) => time.seconds);
  if (older.length < (believed === null ? rule.believed : 1)) return null;
  const now = recent.map((time) => time.seconds);
  const beforeSeconds = median(older);
  const afterSeconds = median(now);
  if (!differs(beforeSeconds, afterSeconds, rule.share)) return null;
  // One that is as before, and it is not yet a new level, or the level began later.
  const onNewLevel = (seconds: number): boolean =>
    differs(beforeSeconds, seconds, rule.share / 2) &&
    seconds > beforeSeconds === afterSeconds > beforeSeconds;
  if (!now.every(onNewLevel)) return null;
  const chance = BY_CHANCE * Math.max(spreadOf(older), spreadOf(now));
  if (Math.abs(afterSeconds - beforeSeconds) <= chance) return null;
  return { sinceMs: first.atMs, ways: series.ways, held: series.held, beforeSeconds, afterSeconds };
}

const spreadOf = (values: readonly number[]): number => Math.max(spread(values), quartileSpread(values));

/** Up or down by more than the share, the smaller taken for the whole. */
function differs(before: number, after: number, share: number): boolean {
  const low = Math.min(before, after);
  return low > 0 && Math.max(before, after) / low > 1 + share;
}

/**
 * What is known after another change: nothing, when it leads back to the level that was believed at first. The same
 * change seen at another number of ways, which happens later, is not another one.
 */
export function joinChanges(known: Change | null, next: Change): Change | null {
  if (known === null) return next;
  if (known.ways !== next.ways || known.held !== next.held) {
    const sameWay = known.afterSeconds > known.beforeSeconds === next.afterSeconds > next.beforeSeconds;
    return sameWay ? { ...(next.held ? next : known), sinceMs: known.sinceMs } : next;
  }
  if (!differs(known.beforeSeconds, next.afterSeconds, changeRule(next.held).share)) return null;
  return { ...next, beforeSeconds: known.beforeSeconds };
}

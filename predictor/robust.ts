/** Numbers without the wild ones. */
import { median, spread } from '../protocols/schema/statistics.ts';

/** Values further than this many spreads from the median are wild. */
const WILD_SPREADS = 4;
/** But not those within this share of it: of three equal times and a nearly equal one none is wild. */
const TAME_SHARE = 0.05;

/** Without the wild ones, in their order. */
export function withoutOutliers<T>(items: readonly T[], toNumber: (item: T) => number): readonly T[] {
  const values = items.map(toNumber);
  const centre = median(values);
  const most = Math.max(WILD_SPREADS * spread(values), TAME_SHARE * Math.abs(centre));
  return items.filter((item) => Math.abs(toNumber(item) - centre) <= most);
}

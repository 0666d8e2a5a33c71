/** Numbers that a few wild values can't spoil. Pure. */

/** NaN without values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Of a normal distribution the median absolute deviation times this is the standard deviation. */
const NORMAL = 1.4826;
/** And this many standard deviations wide is its middle half. */
const NORMAL_QUARTILES = 1.349;

/** A standard deviation by the median absolute deviation; 0 for a single value. */
export function spread(values: readonly number[]): number {
  const centre = median(values);
  return NORMAL * median(values.map((value) => Math.abs(value - centre)));
}

/** The same by the middle half of the values: it sees two clusters where the deviation from the median may see one. */
export function quartileSpread(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return (at(0.75) - at(0.25)) / NORMAL_QUARTILES;
}

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

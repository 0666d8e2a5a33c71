/** Means and spreads. Those by order a few wild values can't spoil. */

/** NaN without values. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

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

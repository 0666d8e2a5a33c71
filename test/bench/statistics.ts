/** Order statistics of a sample, for tables. */

export interface Summary {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

/** @param share of the sample that is smaller: 0.5 is the median, 1 the largest */
export function quantile(sample: readonly number[], share: number): number {
  const sorted = [...sample].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function summarize(sample: readonly number[]): Summary {
  const sorted = [...sample].sort((left, right) => left - right);
  const at = (share: number): number => quantile(sorted, share);
  return { count: sorted.length, min: at(0), median: at(0.5), p95: at(0.95), max: at(1) };
}

export function printRow(what: string, unit: string, sample: readonly number[], digits = 1): void {
  const { count, min, median, p95, max } = summarize(sample);
  const cells = [min, median, p95, max].map((value) => value.toFixed(digits).padStart(9));
  console.log(`${what.padEnd(44)} ${cells.join(' ')} ${unit}  n=${count}`);
}

export function printHead(): void {
  console.log(
    `${''.padEnd(44)} ${['min', 'median', 'p95', 'max'].map((name) => name.padStart(9)).join(' ')}`,
  );
}

/** How long to wait before the next try ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015). */
import type { Random } from './ports.ts';

export interface BackOffRange {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Milliseconds after `failures` earlier ones in a row: the first delay, doubled with each, up to the longest. */
export function backOff({ firstMs, longestMs }: BackOffRange, failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** failures);
}

/** Between half and the whole of a delay, so that many nodes don't come back to one at the same moment. */
export function spread(delayMs: number, random: Random): number {
  return delayMs * (0.5 + random.next() / 2);
}

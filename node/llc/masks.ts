/** Capacity bit masks as unsigned 32-bit numbers: bit n is way n (kernel documentation, filesystems/resctrl.rst). */

/** All `ways` bits. `ways` is 0 to 32. */
export const fullMask = (ways: number): number => 2 ** ways - 1;

export const unite = (left: number, right: number): number => (left | right) >>> 0;
export const intersect = (left: number, right: number): number => (left & right) >>> 0;
export const without = (mask: number, removed: number): number => (mask & ~removed) >>> 0;

/** Number of ways in it. */
export function popCount(mask: number): number {
  let count = 0;
  for (let rest = mask >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count++;
  return count;
}

/** The run of ones that begins at the lowest one; 0 for 0. */
export function lowestRun(mask: number): number {
  if (mask >>> 0 === 0) return 0;
  const first = (mask & -mask) >>> 0;
  // Adding the lowest one carries through its run: what the carry cleared is the run.
  const carried = (mask >>> 0) + first;
  return without(mask, carried > 0xffff_ffff ? 0 : carried);
}

/** Also true of 0, which has no gap. */
export const isContiguous = (mask: number): boolean => lowestRun(mask) === mask >>> 0;

export const formatMask = (mask: number): string => (mask >>> 0).toString(16);

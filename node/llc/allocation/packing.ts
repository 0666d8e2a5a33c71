/** Exact packing of runs of ways into gaps: small numbers, so a search with a memory is fast enough. */

/**
 * For each size the index of its gap, or null when they don't fit together. Prefers the tightest gap.
 * @param sizes descending
 */
export function pack(sizes: readonly number[], gaps: readonly number[]): number[] | null {
  const room = [...gaps];
  const chosen: number[] = [];
  const failed = new Set<string>();
  const spare = gaps.reduce((sum, gap) => sum + gap, 0) - sizes.reduce((sum, size) => sum + size, 0);
  if (spare < 0) return null;
  return descend(0) ? chosen : null;

  function descend(index: number): boolean {
    const size = sizes[index];
    if (size === undefined) return true;
    const key = `${index}:${room.toSorted((a, b) => a - b).join()}`;
    if (failed.has(key)) return false;
    const order = [...room.keys()].sort((a, b) => at(room, a) - at(room, b) || a - b);
    let last = -1;
    for (const gap of order) {
      const before = at(room, gap);
      // Gaps of one length are alike.
      if (before < size || before === last) continue;
      last = before;
      room[gap] = before - size;
      chosen[index] = gap;
      if (descend(index + 1)) return true;
      room[gap] = before;
    }
    failed.add(key);
    return false;
  }
}

function at(list: readonly number[], index: number): number {
  return list[index] ?? 0;
}

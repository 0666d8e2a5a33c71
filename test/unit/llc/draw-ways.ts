/** A domain's ways as one line of letters, the highest way first as in the kernel's `bit_usage`. */

import { lendableMask } from '../../../node/llc/allocation/domain.ts';
import { spanMask } from '../../../node/llc/allocation/spans.ts';
import type { DomainState } from '../../../node/llc/allocation/types.ts';
import { fullMask, unite, without } from '../../../node/llc/masks.ts';

/** Masks: bit n is way n. Later letters go over earlier ones. */
interface Layer {
  readonly mask: number;
  readonly letter: string;
}

function drawLayers(ways: number, layers: readonly Layer[]): string {
  const cells = Array.from({ length: ways }, (_, way) => {
    return layers.findLast(({ mask }) => ((mask >>> way) & 1) === 1)?.letter ?? '.';
  });
  return cells.reverse().join('');
}

/**
 * `R` reserve, `S` pool, `#` held by other programs, `.` free; partitions by the letter that `label` gives. What ways
 * I/O devices share is drawn apart, by `drawIo`.
 */
export function drawWays(domain: DomainState, label: (id: string) => string): string {
  const reserve = spanMask(domain.reserve);
  const foreign = without(fullMask(domain.ways), unite(lendableMask(domain), reserve));
  return drawLayers(domain.ways, [
    { mask: foreign, letter: '#' },
    { mask: reserve, letter: 'R' },
    { mask: domain.pool === null ? 0 : spanMask(domain.pool), letter: 'S' },
    ...domain.partitions.map(({ id, span }) => ({ mask: spanMask(span), letter: label(id) })),
  ]);
}

/** `^` under every way that I/O devices fill too. */
export function drawIo(ways: number, ioMask: number): string {
  return drawLayers(ways, [{ mask: ioMask, letter: '^' }]).replaceAll('.', ' ');
}

/** A domain as `fsched capacity` shows it. */
import { drawIo, drawLayers } from '../allocation/draw.ts';
import type { DomainView } from './types.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQTUVWXYZ';

export interface DomainDrawing {
  /** Highest way first: `R` reserve, `S` pool, `#` other programs, `.` free, other letters partitions. */
  readonly ways: string;
  /** `^` where I/O devices fill too; null when they don't. */
  readonly io: string | null;
  /** Letters of the partitions, in the order of `partitions`. */
  readonly letters: readonly string[];
}

export function drawDomain(domain: DomainView): DomainDrawing {
  const letters = domain.partitions.map((_, index) => LETTERS[index % LETTERS.length] ?? '?');
  const ways = drawLayers(domain.ways, [
    { mask: domain.foreignMask, letter: '#' },
    { mask: domain.reserveMask, letter: 'R' },
    { mask: domain.pool?.mask ?? 0, letter: 'S' },
    ...domain.partitions.map(({ mask }, index) => ({ mask, letter: letters[index] ?? '?' })),
  ]);
  return { ways, io: domain.ioMask === 0 ? null : drawIo(domain.ways, domain.ioMask), letters };
}

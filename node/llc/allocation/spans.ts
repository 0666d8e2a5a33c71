/** Contiguous runs of ways, and the masks that they are. */
import { fullMask } from '../masks.ts';

export interface Span {
  readonly start: number;
  readonly count: number;
}

export const spanMask = ({ start, count }: Span): number => fullMask(count) * 2 ** start;

/** Maximal runs, lowest first. */
export function spansOf(mask: number): Span[] {
  const spans: Span[] = [];
  let start = -1;
  for (let way = 0; way <= 32; way++) {
    const held = way < 32 && ((mask >>> way) & 1) === 1;
    if (held && start < 0) start = way;
    if (!held && start >= 0) {
      spans.push({ start, count: way - start });
      start = -1;
    }
  }
  return spans;
}

/** Every run of `count` ways inside `mask`, lowest first. */
export function placesIn(mask: number, count: number): Span[] {
  return spansOf(mask).flatMap((gap) =>
    Array.from({ length: Math.max(0, gap.count - count + 1) }, (_, offset) => {
      return { start: gap.start + offset, count };
    }),
  );
}

export function overlap(a: Span, b: Span): boolean {
  return a.start < b.start + b.count && b.start < a.start + a.count;
}

export function sameSpan(a: Span | null, b: Span | null): boolean {
  return a === b || (a !== null && b !== null && a.start === b.start && a.count === b.count);
}

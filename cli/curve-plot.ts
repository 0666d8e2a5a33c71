/** Draws how much slower a program is with fewer ways, in the characters of a terminal. */
import { TABLE_WIDTH } from './table.ts';

export interface PlottedPoint {
  readonly ways: number;
  readonly seconds: number;
}

const ROWS = 8;
const LABEL_WIDTH = 8;
/** Leaves room for the axis and for the last count with its unit. */
const MOST_COLUMNS = TABLE_WIDTH - LABEL_WIDTH - 10;
const MEASURED = '●';
const BETWEEN = '·';
/** A flat curve is drawn at the bottom of this, so that it looks flat. */
const LEAST_TOP = 1.2;

/** Lines of at most 80 columns: slowdown relative to the fastest point, over 1 to `ways` ways; none without points. */
export function drawCurve(points: readonly PlottedPoint[], ways: number): readonly string[] {
  const known = points.filter((point) => point.seconds > 0).toSorted((a, b) => a.ways - b.ways);
  const fastest = Math.min(...known.map((point) => point.seconds));
  if (known.length === 0) return [];
  const curve = known.map((point) => ({ ways: point.ways, slowdown: point.seconds / fastest }));
  const top = Math.max(LEAST_TOP, ...curve.map((point) => point.slowdown));
  const step = Math.max(1, Math.min(4, Math.floor((MOST_COLUMNS - 1) / Math.max(1, ways - 1))));
  const width = Math.min(MOST_COLUMNS, (ways - 1) * step + 1);
  const column = (count: number): number =>
    ways === 1 ? 0 : Math.round(((count - 1) / (ways - 1)) * (width - 1));
  const row = (slowdown: number): number => Math.round(((top - slowdown) / (top - 1)) * (ROWS - 1));

  const canvas = Array.from({ length: ROWS }, () => Array<string>(width).fill(' '));
  const paint = (x: number, y: number, mark: string): void => {
    const line = canvas[y];
    if (line !== undefined) line[x] = mark;
  };
  for (const [index, to] of curve.entries()) {
    const from = curve[index - 1];
    if (from === undefined) continue;
    const begin = column(from.ways);
    const span = column(to.ways) - begin;
    for (let x = 1; x < span; x++) {
      paint(begin + x, row(from.slowdown + ((to.slowdown - from.slowdown) * x) / span), BETWEEN);
    }
  }
  for (const point of curve) paint(column(point.ways), row(point.slowdown), MEASURED);
  return [
    ...canvas.map((line, index) => {
      const slowdown = top - ((top - 1) * index) / (ROWS - 1);
      const label = slowdown < 1000 ? slowdown.toFixed(2) : slowdown.toExponential(0);
      return `${`${label} x`.padStart(LABEL_WIDTH)} ┤${line.join('')}`.trimEnd();
    }),
    `${' '.repeat(LABEL_WIDTH)} └${'─'.repeat(width)}`,
    ticks(curve, column, width),
  ];
}

/** The way counts below their points, as many as there is room for; the ends come first. */
function ticks(
  curve: readonly { readonly ways: number }[],
  column: (ways: number) => number,
  width: number,
): string {
  const line = Array<string>(width + 3).fill(' ');
  const counts = curve.map((point) => point.ways);
  for (const count of [counts[0], counts.at(-1), ...counts]) {
    if (count === undefined) continue;
    const text = String(count);
    const from = column(count);
    const room = line.slice(Math.max(0, from - 1), from + text.length + 1);
    if (room.every((cell) => cell === ' ')) line.splice(from, text.length, ...text);
  }
  return `${' '.repeat(LABEL_WIDTH + 2)}${line.join('').trimEnd()}  ways`;
}

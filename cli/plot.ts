/** Draws how much slower a program is with fewer ways, in the characters of a terminal: as measured, as predicted. */
import type { ExplanationJson } from '../node/rest/schemas/predictor.ts';
import { quantileCurve } from '../predictor/choose-ways.ts';
import { measuredDots, slowdownAt } from '../predictor/measured-dots.ts';
import { TABLE_WIDTH } from './table.ts';

const LABEL_WIDTH = 8;
const INDENT = ' '.repeat(LABEL_WIDTH + 2);
/** Leaves room for the axis and for the unit after the last count. */
const MOST_COLUMNS = TABLE_WIDTH - LABEL_WIDTH - 10;
/** A flat curve is drawn at the bottom of this, so that it looks flat. */
const LEAST_TOP = 1.2;
const MARK = { measured: '●', between: '·', expected: '━', band: '░', chosen: '│', allowed: '╌' } as const;

/** Slowdowns of 1 to that of `top` over 1 to `ways` ways. */
class Canvas {
  readonly width: number;
  readonly top: number;
  readonly #ways: number;
  readonly #cells: string[][];

  constructor(ways: number, rows: number, slowdowns: readonly number[]) {
    const step = Math.max(1, Math.min(4, Math.floor((MOST_COLUMNS - 1) / Math.max(1, ways - 1))));
    this.#ways = ways;
    this.top = Math.max(LEAST_TOP, ...slowdowns);
    this.width = Math.min(MOST_COLUMNS, (ways - 1) * step + 1);
    this.#cells = Array.from({ length: rows }, () => Array<string>(this.width).fill(' '));
  }

  get #last(): number {
    return this.#cells.length - 1;
  }
  column(ways: number): number {
    return this.#ways === 1 ? 0 : Math.round(((ways - 1) / (this.#ways - 1)) * (this.width - 1));
  }
  #row(slowdown: number): number {
    const share = (this.top - Math.max(1, slowdown)) / (this.top - 1);
    return Math.max(0, Math.round(share * this.#last));
  }

  mark(column: number, slowdown: number, mark: string): void {
    const line = this.#cells[this.#row(slowdown)];
    if (line !== undefined && column < line.length) line[column] = mark;
  }
  /** All rows of a column that lie between two slowdowns. */
  fill(column: number, low: number, high: number, mark: string): void {
    for (let row = this.#row(high); row <= this.#row(low); row += 1) (this.#cells[row] ?? [])[column] = mark;
  }
  /** Calls `draw` for each column with the ways that it stands for. */
  across(draw: (column: number, ways: number) => void): void {
    for (let x = 0; x < this.width; x += 1)
      draw(x, this.width === 1 ? 1 : 1 + (x / (this.width - 1)) * (this.#ways - 1));
  }

  lines(): string[] {
    const drawn = this.#cells.map((line, row) => {
      const slowdown = this.top - ((this.top - 1) * row) / this.#last;
      const label = slowdown < 1000 ? slowdown.toFixed(2) : slowdown.toExponential(0);
      return `${`${label} x`.padStart(LABEL_WIDTH)} ┤${line.join('')}`.trimEnd();
    });
    return [...drawn, `${' '.repeat(LABEL_WIDTH)} └${'─'.repeat(this.width)}`];
  }

  /** As many of the counts as there is room for, the first of them first. */
  ticks(counts: readonly number[], unit: string, label: (count: number) => string = String): string {
    const line = Array<string>(this.width + 6).fill(' ');
    for (const count of counts) {
      const text = label(count);
      const from = this.column(count);
      const room = line.slice(Math.max(0, from - 1), from + text.length + 1);
      if (from + text.length <= line.length && room.every((cell) => cell === ' '))
        line.splice(from, text.length, ...text);
    }
    return `${INDENT}${line.join('').trimEnd()}  ${unit}`.slice(0, TABLE_WIDTH);
  }
}

export interface PlottedPoint {
  readonly ways: number;
  readonly seconds: number;
}

/** Lines of at most 80 columns: slowdown relative to the fastest point, over 1 to `ways` ways; none without points. */
export function drawCurve(points: readonly PlottedPoint[], ways: number): readonly string[] {
  const known = points.filter((point) => point.seconds > 0).toSorted((a, b) => a.ways - b.ways);
  if (known.length === 0) return [];
  const fastest = Math.min(...known.map((point) => point.seconds));
  const curve = known.map((point) => ({ ways: point.ways, slowdown: point.seconds / fastest }));
  const canvas = new Canvas(
    ways,
    8,
    curve.map((point) => point.slowdown),
  );
  canvas.across((column, at) => {
    const from = curve.findLast((point) => point.ways <= at);
    const to = curve.find((point) => point.ways > at);
    if (from === undefined || to === undefined) return;
    const slope = (to.slowdown - from.slowdown) / (to.ways - from.ways);
    canvas.mark(column, from.slowdown + slope * (at - from.ways), MARK.between);
  });
  for (const point of curve) canvas.mark(canvas.column(point.ways), point.slowdown, MARK.measured);
  const counts = curve.map((point) => point.ways);
  // The ends come first.
  return [...canvas.lines(), canvas.ticks([counts[0] ?? 1, counts.at(-1) ?? 1, ...counts], 'ways')];
}

/** Draws an explained prediction: band, expected curve, measured points, choice. None where nothing is predicted. */
export function drawExplanation(explained: ExplanationJson): readonly string[] {
  const { slowdown, quantiles, max_slowdown: allowed, cache, needed } = explained;
  if (slowdown.length === 0) return [];
  const ways = slowdown.length;
  const [low, high] = [0.05, 0.95].map((level) => quantileCurve({ slowdown, quantiles }, level));
  const dots = dotsOf(explained).filter((dot) => dot.ways <= ways);
  const canvas = new Canvas(ways, 10, [...slowdown, ...(high ?? []), ...dots.map((dot) => dot.slowdown)]);
  const hasAllowed = allowed <= canvas.top;

  canvas.across((column, at) => {
    if (hasAllowed) canvas.mark(column, allowed, MARK.allowed);
    if (quantiles.length > 0)
      canvas.fill(column, slowdownAt(low ?? [], at), slowdownAt(high ?? [], at), MARK.band);
  });
  if (needed !== null) canvas.fill(canvas.column(explained.ways), 1, canvas.top, MARK.chosen);
  canvas.across((column, at) => canvas.mark(column, slowdownAt(slowdown, at), MARK.expected));
  for (const dot of dots) canvas.mark(canvas.column(Math.max(1, dot.ways)), dot.slowdown, MARK.measured);

  const counts = [1, ways, needed === null ? 1 : explained.ways, Math.round(ways / 2)];
  const legend = [
    ...(dots.length > 0 ? [`${MARK.measured} measured`] : []),
    `${MARK.expected} expected`,
    ...(quantiles.length > 0 ? [`${MARK.band} 5 to 95 %`] : []),
    ...(needed === null ? [] : [`${MARK.chosen} chosen`]),
    ...(hasAllowed ? [`${MARK.allowed} allowed`] : []),
  ];
  return [
    ...canvas.lines(),
    canvas.ticks(counts, 'ways'),
    canvas.ticks(counts, 'MiB', (count) =>
      String(Number(((count * cache.way_bytes) / 2 ** 20).toPrecision(3))),
    ),
    INDENT + legend.join('   '),
  ];
}

const dotsOf = ({ slowdown, input_size: inputSize, cache, measured }: ExplanationJson) =>
  measuredDots({
    slowdown,
    inputSize,
    geometry: { ways: cache.ways, wayBytes: cache.way_bytes },
    curves: measured.map(({ input_size, profiler, way_bytes: wayBytes, points }) => ({
      inputSize: input_size,
      profiler,
      wayBytes,
      points: points.map((point) => ({ ways: point.ways, seconds: [point.mean_seconds] })),
    })),
  });

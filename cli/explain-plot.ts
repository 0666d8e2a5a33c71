/** Draws an explained prediction in the characters of a terminal: band, expected curve, measured points, choice. */
import type { ExplanationJson } from '../node/rest/schemas/predictor.ts';
import { quantileCurve } from '../predictor/choose-ways.ts';
import { measuredDots, slowdownAt } from '../predictor/measured-dots.ts';
import { TABLE_WIDTH } from './table.ts';

const ROWS = 10;
const LABEL_WIDTH = 8;
/** Leaves room for the axis and for the unit after the last count. */
const MOST_COLUMNS = TABLE_WIDTH - LABEL_WIDTH - 10;
/** A flat curve is drawn at the bottom of this, so that it looks flat. */
const LEAST_TOP = 1.2;
const MARK = { measured: '●', expected: '━', band: '░', chosen: '│', allowed: '╌' } as const;

/** Lines of at most 80 columns; none where nothing is predicted. */
export function drawExplanation(explained: ExplanationJson): readonly string[] {
  const { slowdown, max_slowdown: allowed, cache } = explained;
  if (slowdown.length === 0) return [];
  const ways = slowdown.length;
  const quantiles = explained.quantiles;
  const [low, high] = [
    quantileCurve({ slowdown, quantiles }, 0.05),
    quantileCurve({ slowdown, quantiles }, 0.95),
  ];
  const chosen = explained.needed === null ? null : explained.ways;
  const dots = measuredDots({
    slowdown,
    inputSize: explained.input_size,
    geometry: { ways: cache.ways, wayBytes: cache.way_bytes },
    curves: explained.measured.map(({ input_size: inputSize, profiler, way_bytes: wayBytes, points }) => ({
      inputSize,
      profiler,
      wayBytes,
      points: points.map((point) => ({ ways: point.ways, seconds: [point.mean_seconds] })),
    })),
  }).filter((dot) => dot.ways <= ways);
  const top = Math.max(LEAST_TOP, ...slowdown, ...high, ...dots.map((dot) => dot.slowdown));
  const canvas = new Canvas(ways, top);

  for (let x = 0; x < canvas.width; x += 1) {
    const at = canvas.waysAt(x);
    if (allowed <= top) canvas.paint(x, canvas.row(allowed), MARK.allowed);
    if (quantiles.length === 0) continue;
    for (let y = canvas.row(slowdownAt(high, at)); y <= canvas.row(slowdownAt(low, at)); y += 1)
      canvas.paint(x, y, MARK.band);
  }
  if (chosen !== null) for (let y = 0; y < ROWS; y += 1) canvas.paint(canvas.column(chosen), y, MARK.chosen);
  for (let x = 0; x < canvas.width; x += 1)
    canvas.paint(x, canvas.row(slowdownAt(slowdown, canvas.waysAt(x))), MARK.expected);
  for (const dot of dots)
    canvas.paint(canvas.column(Math.max(1, dot.ways)), canvas.row(dot.slowdown), MARK.measured);

  const counts = [1, ways, chosen ?? 1, Math.round(ways / 2)];
  return [
    ...canvas.lines(),
    canvas.ticks(counts, (count) => String(count), 'ways'),
    canvas.ticks(counts, (count) => mebibytes(count * cache.way_bytes), 'MiB'),
    legend(explained, dots.length > 0, allowed <= top),
  ];
}

class Canvas {
  readonly width: number;
  readonly #ways: number;
  readonly #top: number;
  readonly #cells: string[][];

  constructor(ways: number, top: number) {
    const step = Math.max(1, Math.min(4, Math.floor((MOST_COLUMNS - 1) / Math.max(1, ways - 1))));
    this.#ways = ways;
    this.#top = top;
    this.width = Math.min(MOST_COLUMNS, (ways - 1) * step + 1);
    this.#cells = Array.from({ length: ROWS }, () => Array<string>(this.width).fill(' '));
  }

  column(ways: number): number {
    return this.#ways === 1 ? 0 : Math.round(((ways - 1) / (this.#ways - 1)) * (this.width - 1));
  }
  waysAt(column: number): number {
    return this.width === 1 ? 1 : 1 + (column / (this.width - 1)) * (this.#ways - 1);
  }
  row(slowdown: number): number {
    const share = (this.#top - Math.max(1, slowdown)) / (this.#top - 1);
    return Math.max(0, Math.round(share * (ROWS - 1)));
  }
  paint(x: number, y: number, mark: string): void {
    const line = this.#cells[y];
    if (line !== undefined && x < line.length) line[x] = mark;
  }

  lines(): string[] {
    const drawn = this.#cells.map((line, index) => {
      const slowdown = this.#top - ((this.#top - 1) * index) / (ROWS - 1);
      const label = slowdown < 1000 ? slowdown.toFixed(2) : slowdown.toExponential(0);
      return `${`${label} x`.padStart(LABEL_WIDTH)} ┤${line.join('')}`.trimEnd();
    });
    return [...drawn, `${' '.repeat(LABEL_WIDTH)} └${'─'.repeat(this.width)}`];
  }

  /** As many as there is room for, the first of them first. */
  ticks(counts: readonly number[], label: (count: number) => string, unit: string): string {
    const line = Array<string>(this.width + 6).fill(' ');
    for (const count of counts) {
      const text = label(count);
      const from = this.column(count);
      const room = line.slice(Math.max(0, from - 1), from + text.length + 1);
      if (from + text.length <= line.length && room.every((cell) => cell === ' '))
        line.splice(from, text.length, ...text);
    }
    return `${' '.repeat(LABEL_WIDTH + 2)}${line.join('').trimEnd()}  ${unit}`.slice(0, TABLE_WIDTH);
  }
}

function legend({ quantiles, needed }: ExplanationJson, hasDots: boolean, hasAllowed: boolean): string {
  const entries = [
    ...(hasDots ? [`${MARK.measured} measured`] : []),
    `${MARK.expected} expected`,
    ...(quantiles.length > 0 ? [`${MARK.band} 5 to 95 %`] : []),
    ...(needed === null ? [] : [`${MARK.chosen} chosen`]),
    ...(hasAllowed ? [`${MARK.allowed} allowed`] : []),
  ];
  return `${' '.repeat(LABEL_WIDTH + 2)}${entries.join('   ')}`;
}

const mebibytes = (bytes: number): string => String(Number((bytes / 2 ** 20).toPrecision(3)));

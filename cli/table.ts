/** Tables for people: columns side by side in at most `width` columns of the terminal. */
import displayWidth from 'string-width';
import { printable } from '../protocols/schema/text.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** What goes when there is no room; columns without it keep their width. */
  readonly cut?: 'end' | 'middle';
  /** Never cut to less than this. @default 8 */
  readonly minWidth?: number;
}

export const TABLE_WIDTH = 80;
const GAP = '  ';

/** Lines of the table, the titles first. */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number = TABLE_WIDTH,
): readonly string[] {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = fitWidths(
    columns,
    columns.map((column, index) =>
      Math.max(displayWidth(column.title), ...cells.map((row) => displayWidth(row[index] ?? ''))),
    ),
    width,
  );
  const titles = columns.map((column) => column.title);
  return [titles, ...cells].map((row) => formatLine(row, columns, widths));
}

/** Takes columns from the widest that may be cut until the line fits, or none may be cut any more. */
function fitWidths<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): readonly number[] {
  const widths = [...natural];
  const sum = () => widths.reduce((total, each) => total + each, GAP.length * (widths.length - 1));
  for (let excess = sum() - width; excess > 0; excess--) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const least = Math.max(column.minWidth ?? 8, displayWidth(column.title));
      const mayShrink = column.cut !== undefined && (widths[index] ?? 0) > least;
      if (mayShrink && (widths[index] ?? 0) > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function formatLine<Row>(
  row: readonly string[],
  columns: readonly Column<Row>[],
  widths: readonly number[],
): string {
  const line = columns.map((column, index) => {
    const width = widths[index] ?? 0;
    const text = truncate(row[index] ?? '', width, column.cut ?? 'end');
    const padding = ' '.repeat(Math.max(0, width - displayWidth(text)));
    return column.align === 'right' ? padding + text : text + padding;
  });
  return line.join(GAP).trimEnd();
}

/** A name and its value. */
export type Pair = readonly [name: string, value: string];

/** `Name  value` lines, the values in one column and wrapped at words. */
export function formatPairs(pairs: readonly Pair[]): readonly string[] {
  const width = Math.max(0, ...pairs.map(([name]) => displayWidth(name)));
  return pairs.flatMap(([name, value]) =>
    wrap(printable(value), TABLE_WIDTH - width - GAP.length).map(
      (line, index) => `${(index === 0 ? name : '').padEnd(width)}${GAP}${line}`,
    ),
  );
}

/** Words that are longer than a line stay whole: ids and paths are there to be copied. */
export function wrap(text: string, width: number = TABLE_WIDTH): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cuts text to `width` columns: names lose their end, ids their middle (both ends tell ids apart). */
export function truncate(text: string, width: number, where: 'end' | 'middle'): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 1) return width === 1 ? '…' : '';
  const segments = Array.from(graphemes.segment(text), ({ segment }) => segment);
  const after = where === 'end' ? 0 : Math.ceil((width - 1) / 2);
  const tail = fit(segments.toReversed(), after).toReversed();
  return [...fit(segments, width - 1 - after), '…', ...tail].join('');
}

/** As many of the first as fit in `width` columns. */
function fit(segments: readonly string[], width: number): readonly string[] {
  let left = width;
  const tooMany = segments.findIndex((segment) => {
    left -= displayWidth(segment);
    return left < 0;
  });
  return tooMany === -1 ? segments : segments.slice(0, tooMany);
}

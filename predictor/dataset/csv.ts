/**
 * Curves as a table: `name,input_size,cos,exec_time`, one row a function, input size and number of ways, with the cache
 * it was measured on in a sidecar. The dataset is written in it, and whoever measured their own brings it in the same.
 * Pure.
 */
import { parseGeometry } from './sidecar.ts';
import type { CurvePoint, CurveSet, FunctionCurve } from './types.ts';

export type CsvOutcome =
  | { readonly ok: true; readonly value: CurveSet }
  | { readonly ok: false; readonly error: string };

const COLUMNS = ['name', 'input_size', 'cos', 'exec_time'] as const;
const HEADER = COLUMNS.join(',');
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

interface Row {
  readonly name: string;
  readonly inputSize: number;
  readonly ways: number;
  readonly seconds: number;
}

class BadCell extends Error {}

/**
 * Rows may come in any order, points may be missing, and rows of one point are samples of it: their mean counts.
 * @param sidecar JSON with `geometry: {ways, wayBytes}`; null: 16 ways of 128 KiB
 * @returns curves by name and input size, points by ways; or a sentence that names line and column of what is wrong
 */
export function parseCurves(text: string, sidecar: string | null): CsvOutcome {
  const geometry = parseGeometry(sidecar);
  if (!geometry.ok) return geometry;
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines[0]?.trim() !== HEADER) {
    const found = text.trim() === '' ? 'the file is empty' : `it is "${(lines[0] ?? '').slice(0, 80)}"`;
    return { ok: false, error: `line 1 has to be the header "${HEADER}", but ${found}` };
  }
  const rows: Row[] = [];
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '') continue;
    try {
      rows.push(parseRow(line, geometry.value.ways));
    } catch (error) {
      if (!(error instanceof BadCell)) throw error;
      return { ok: false, error: `line ${index + 1}, ${error.message}` };
    }
  }
  if (rows.length === 0)
    return { ok: false, error: 'line 2 is missing: there are no curves below the header' };
  return { ok: true, value: { geometry: geometry.value, curves: toCurves(rows) } };
}

/**
 * Sorted by name, input size and ways; seconds with nine decimals, which is exact for estimated cycles at 1 GHz.
 * Curves without points leave no rows.
 */
export function formatCurves({ curves }: CurveSet): string {
  const rows = [...curves]
    .sort(byNameAndSize)
    .flatMap(({ name, inputSize, points }) =>
      [...points]
        .sort((left, right) => left.ways - right.ways)
        .map(({ ways, seconds }) => `${name},${inputSize},${ways},${seconds.toFixed(9)}`),
    );
  return `${[HEADER, ...rows].join('\n')}\n`;
}

function parseRow(line: string, maxWays: number): Row {
  const cells = line.split(',').map((cell) => cell.trim());
  if (line.includes('"')) throw new BadCell('column name: quotes are not understood, names have none');
  if (cells.length !== COLUMNS.length) {
    throw new BadCell(`column ${COLUMNS[cells.length] ?? 'exec_time'}: ${cells.length} cells instead of 4`);
  }
  const [name = '', size = '', cos = '', time = ''] = cells;
  if (name === '') throw new BadCell('column name: it is empty');
  const inputSize = numberIn('input_size', size);
  if (!Number.isSafeInteger(inputSize) || inputSize <= 0) {
    throw new BadCell(`column input_size: ${size} is no whole number above zero`);
  }
  const ways = numberIn('cos', cos);
  if (!Number.isInteger(ways) || ways < 1 || ways > maxWays) {
    throw new BadCell(
      `column cos: ${cos} is no number of ways from 1 to ${maxWays} (the sidecar tells how many there are)`,
    );
  }
  const seconds = numberIn('exec_time', time);
  if (seconds <= 0) throw new BadCell(`column exec_time: ${time} is no time above zero`);
  return { name, inputSize, ways, seconds };
}

function numberIn(column: string, cell: string): number {
  const value = NUMBER.test(cell) ? Number(cell) : Number.NaN;
  if (!Number.isFinite(value)) throw new BadCell(`column ${column}: "${cell.slice(0, 40)}" is no number`);
  return value;
}

function toCurves(rows: readonly Row[]): FunctionCurve[] {
  const curves = Map.groupBy(rows, ({ name, inputSize }) => `${name},${inputSize}`);
  return [...curves.values()]
    .map((ofCurve) => {
      const { name, inputSize } = ofCurve[0] as Row;
      return { name, inputSize, points: toPoints(ofCurve) };
    })
    .sort(byNameAndSize);
}

function toPoints(rows: readonly Row[]): CurvePoint[] {
  return [...Map.groupBy(rows, ({ ways }) => ways)]
    .map(([ways, samples]) => ({
      ways,
      seconds: samples.reduce((sum, { seconds }) => sum + seconds, 0) / samples.length,
    }))
    .sort((left, right) => left.ways - right.ways);
}

/** By code unit, not by locale: the same file everywhere. */
function byNameAndSize(left: FunctionCurve, right: FunctionCurve): number {
  if (left.name !== right.name) return left.name < right.name ? -1 : 1;
  return left.inputSize - right.inputSize;
}

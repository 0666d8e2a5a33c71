/** A report for people, 80 columns wide. Pure. */
import { ORACLE, type Protocol, type Report, type ReportRow } from './evaluate.ts';
import type { Scenario } from './scenarios.ts';
import type { Estimate } from './summary.ts';

const COLUMNS = [
  { head: 'method', width: 14, cell: ({ method }) => method },
  { head: 'error', width: 5, cell: ({ error }) => percent(error?.value) },
  { head: 'p95', width: 6, cell: ({ errorP95 }) => percent(errorP95) },
  { head: 'ways', width: 5, cell: ({ errorWays }) => fixed(errorWays.value, 1) },
  { head: 'regret', width: 7, cell: ({ regret }) => percent(regret.value) },
  {
    head: 'within 5 %',
    width: 12,
    cell: ({ within }) => `${percent(within.value)} ±${spread(within, 100, 1)}`,
  },
  {
    head: 'ways ratio',
    width: 11,
    cell: ({ waysRatio }) => `${fixed(waysRatio.value, 2)} ±${spread(waysRatio, 1, 2)}`,
  },
  { head: 'each', width: 5, cell: ({ meanWaysRatio }) => fixed(meanWaysRatio.value, 2) },
  { head: 'runs', width: 5, cell: ({ executions }) => fixed(executions, 1) },
  { head: 'µs', width: 5, cell: ({ microseconds }) => fixed(microseconds, 0) },
  { head: 'band', width: 5, cell: ({ coverage }) => percent(coverage?.wide ?? coverage?.all, 0) },
] as const satisfies readonly {
  readonly head: string;
  readonly width: number;
  readonly cell: (row: ReportRow) => string;
}[];

const LEGEND = `error, p95   of the slowdown, % of the true one, mean and 95th percentile
ways         |chosen - oracle's|, mean
regret       lost against the oracle's choice, % of the full cache's time, mean
within 5 %   % of choices whose true slowdown is within 5 % of the full cache
ways ratio   all ways chosen by all that the oracle chose: the fewest within 5 %
each         mean of the ratios of single choices
runs         executions of benchmarks a question
µs           a prediction, warm median
band         % of true slowdowns in the 5-95 % band, where it has a width
±            half of the 95 % confidence interval, by bootstrap over functions`;

const PROTOCOLS: Record<Protocol, string> = {
  'train-test': 'learned from --train, judged on --test',
  'leave-functions-out': 'functions left out: none was learned from that is asked about',
  'leave-sizes-out':
    'sizes left out: other sizes of the function were learned from\n(methods that learn nothing beforehand: as above)',
};

const MODES: Record<Scenario['mode'], string> = {
  benchmarked: 'the size asked was benchmarked',
  'assisted-1': 'one other size was benchmarked',
  'assisted-middle': 'the middle one of its sizes was benchmarked',
  'assisted-2': 'two other sizes were benchmarked',
};

export function formatReport({ rows, extent, seed }: Report): string {
  const parts = [`${extent.functions} functions, ${extent.curves} curves, seed ${seed}`, LEGEND];
  for (const [protocol, ofProtocol] of Map.groupBy(rows, (row) => row.protocol)) {
    parts.push(`== ${PROTOCOLS[protocol]}`);
    for (const ofScenario of Map.groupBy(
      ofProtocol,
      ({ scenario }) => `${scenario.mode},${scenario.points}`,
    ).values()) {
      parts.push(block(ofScenario));
    }
  }
  return `${parts.join('\n\n')}\n`;
}

function block(rows: readonly ReportRow[]): string {
  const { scenario, questions } = rows[0] as ReportRow;
  const points = scenario.points === 'all' ? 'at every way count' : `at ${scenario.points} way counts`;
  const title = `${MODES[scenario.mode]} ${points}: ${questions} questions`;
  const head = line(COLUMNS.map(({ head }) => head));
  const body = [...rows]
    .sort((left, right) => Number(left.method === ORACLE) - Number(right.method === ORACLE))
    .map((row) => line(COLUMNS.map(({ cell }) => cell(row))));
  return [title, head, ...body].join('\n');
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const width = COLUMNS[index]?.width ?? 0;
      return index === 0 ? cell.padEnd(width) : cell.padStart(width);
    })
    .join('')
    .trimEnd();
}

const fixed = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined ? '-' : value.toFixed(digits);

const percent = (share: number | null | undefined, digits = 1): string =>
  fixed(share === null || share === undefined ? share : share * 100, digits);

const spread = ({ low, high }: Estimate, unit: number, digits: number): string =>
  fixed(((high - low) / 2) * unit, digits);

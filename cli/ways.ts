/** Draws last-level caches: one cell a way, the highest first as in the kernel's `bit_usage`. */
import displayWidth from 'string-width';
import type { WorkerJson } from '../node/rest/schemas/cluster.ts';
import type { Hold } from '../protocols/schema/capacity.ts';
import { printable } from '../protocols/schema/text.ts';
import { formatBytes, plural } from './format.ts';
import { TABLE_WIDTH, truncate } from './table.ts';

export type DrawnNode = Pick<WorkerJson, 'name' | 'alive' | 'enforcement' | 'llc'>;
type DrawnDomain = WorkerJson['llc'][number];
type DrawnRun = DrawnDomain['runs'][number];

/** A node that is down lends nothing: what was last heard of its ways is no news any more. */
const domainsOf = ({ alive, llc }: DrawnNode): readonly DrawnDomain[] => (alive ? llc : []);

/** Without those that mean something else. Capital: held; small: counted only. */
const LETTERS = 'ABCDEFGHIJKLMNOPQTUVWXYZ';
const FREE = '·';
const RESERVE = 'R';
const POOL = 'S';
const FOREIGN = '#';
const IO = '^';
const NAME_WIDTH = 22;

const MEANINGS: readonly (readonly [string, string])[] = [
  [RESERVE, 'reserve'],
  [POOL, 'shared pool'],
  [FOREIGN, 'other programs'],
  [IO, 'filled by I/O too'],
  [FREE, 'free'],
];

/** ANSI colours that are readable on dark and light ground. */
const COLOURS = [36, 33, 35, 32, 34, 31, 96, 95];

/** A way of a drawing; `run` where it is one run's. */
interface Cell {
  readonly glyph: string;
  readonly run?: number;
}

interface Style {
  readonly colour: boolean;
  /** Columns, colours aside. @default TABLE_WIDTH */
  readonly width?: number;
}

/** Lines that fit, the legend last. */
export function drawWays(
  nodes: readonly DrawnNode[],
  { colour, width = TABLE_WIDTH }: Style,
): readonly string[] {
  const numbers = new Map<string, number>();
  const style = { colour, width };
  const lines = nodes.flatMap((node) => {
    const name = truncate(printable(node.name), NAME_WIDTH, 'end');
    const label = `${name}${' '.repeat(NAME_WIDTH - displayWidth(name))}`;
    if (!node.alive) return [`${label} down`];
    if (node.llc.length === 0) return [`${label} nothing is known of its cache yet`];
    return node.llc.flatMap((domain, index) => {
      const start = `${index === 0 ? label : ' '.repeat(NAME_WIDTH)} LLC ${String(domain.id).padEnd(3)}`;
      return drawDomain(start, domain, numbers, style);
    });
  });
  const drawn = lines.map((line) => line.slice(NAME_WIDTH)).join('');
  return [...lines, ...legend(nodes, numbers, drawn, style), ...unheld(nodes, width)];
}

function drawDomain(
  label: string,
  domain: DrawnDomain,
  numbers: Map<string, number>,
  { colour, width }: Required<Style>,
): readonly string[] {
  const cells = cellsOf(domain, numbers).reverse();
  const io = Array.from({ length: domain.ways }, (_, way) => (has(domain.masks.io, way) ? IO : ' '));
  io.reverse();
  const fact = ` ${domain.free_ways}/${domain.ways} free × ${formatBytes(domain.way_bytes)}`;
  const room = width - displayWidth(label) - displayWidth(fact) - 3;
  const indent = ' '.repeat(displayWidth(label));
  const lines: string[] = [];
  for (let from = 0; from < cells.length; from += room) {
    const bar = cells.slice(from, from + room).map((cell) => paint(cell, colour));
    lines.push(`${from === 0 ? label : indent} [${bar.join('')}]${from === 0 ? fact : ''}`);
    const below = io
      .slice(from, from + room)
      .join('')
      .trimEnd();
    if (below !== '') lines.push(`${indent}  ${below}`);
  }
  return lines;
}

/** Way 0 first. */
function cellsOf({ ways, masks, runs }: DrawnDomain, numbers: Map<string, number>): Cell[] {
  const cells = Array.from({ length: ways }, (): Cell => ({ glyph: FREE }));
  const fill = (mask: number, cell: Cell): void => {
    for (let way = 0; way < ways; way++) if (has(mask, way)) cells[way] = cell;
  };
  /** The lowest ways that are free: nobody knows which, only how many. */
  const count = (wanted: number, cell: Cell): void => {
    let left = wanted;
    for (let way = 0; way < ways && left > 0; way++) {
      if (cells[way]?.glyph !== FREE) continue;
      cells[way] = cell;
      left--;
    }
  };
  fill(masks.foreign, { glyph: FOREIGN });
  fill(masks.reserve, { glyph: RESERVE });
  fill(masks.pool, { glyph: POOL });
  for (const { run_id: runId, hold, mask } of runs) {
    if (hold === 'pool') continue;
    const number = numbers.get(runId) ?? numbers.size;
    numbers.set(runId, number);
    if (hold === 'partition' && mask !== null) fill(mask, runCell(number, hold));
  }
  for (const { run_id: runId, hold, mask, ways: wanted } of runs) {
    if (hold === 'counted' || (hold === 'partition' && mask === null))
      count(wanted, runCell(numbers.get(runId) ?? 0, hold));
  }
  return cells;
}

/** Beyond the 32nd way there are no masks. */
const has = (mask: number, way: number): boolean => way < 32 && ((mask >>> way) & 1) === 1;

function runCell(number: number, hold: Hold): Cell {
  const letter = LETTERS[number % LETTERS.length] ?? '?';
  return { glyph: hold === 'counted' ? letter.toLowerCase() : letter, run: number };
}

function paint({ glyph, run }: Cell, colour: boolean): string {
  return colour && run !== undefined ? `\u001b[${COLOURS[run % COLOURS.length]}m${glyph}\u001b[0m` : glyph;
}

function legend(
  nodes: readonly DrawnNode[],
  numbers: ReadonlyMap<string, number>,
  drawn: string,
  { colour, width }: Required<Style>,
): readonly string[] {
  const domains = nodes.flatMap(domainsOf);
  const limits = new Set(domains.map((domain) => domain.pool_bandwidth_percent));
  const limit = [...limits].filter((percent) => percent !== null).join(' or ');
  const seen = MEANINGS.filter(([glyph]) => drawn.includes(glyph)).map(([glyph, meaning]) =>
    glyph === POOL && limit !== '' ? `${glyph} ${meaning} (${limit} % bandwidth)` : `${glyph} ${meaning}`,
  );
  const runs = domains.flatMap((domain) => domain.runs);
  const lines = runs.map((run) => {
    const number = numbers.get(run.run_id);
    const cell = number === undefined ? { glyph: POOL } : runCell(number, run.hold);
    const facts = describeRun(run);
    return `${paint(cell, colour)} ${truncate(printable(run.run_id), width - facts.length - 4, 'middle')}: ${facts}`;
  });
  return [[...seen, ...(runs.length === 0 ? ['no runs'] : [])].join('   '), ...lines];
}

function describeRun({ hold, ways, mask, occupancy_bytes: occupancyBytes }: DrawnRun): string {
  const held: Record<Hold, string> = {
    partition: plural(mask === null ? ways : countBits(mask), 'way'),
    pool: `in the shared pool (${plural(ways, 'way')})`,
    counted: `${plural(ways, 'way')} counted`,
  };
  const filled = occupancyBytes === null ? '' : `, ${formatBytes(occupancyBytes)} filled`;
  return held[hold] + filled;
}

function countBits(mask: number): number {
  return Array.from({ length: 32 }, (_, way) => way).filter((way) => has(mask, way)).length;
}

/** Who draws partitions that nothing holds. */
function unheld(nodes: readonly DrawnNode[], width: number): readonly string[] {
  const reasons = [
    ['emulated', 'emulated, so nothing is held'],
    ['unenforced', 'no cache allocation, ways are only counted'],
  ] as const;
  return reasons.flatMap(([enforcement, reason]) => {
    const names = nodes.filter((node) => node.enforcement === enforcement && domainsOf(node).length > 0);
    if (names.length === 0) return [];
    const list = printable(names.map(({ name }) => name).join(', '));
    return [`${truncate(list, width - reason.length - 2, 'end')}: ${reason}`];
  });
}

/** Draws last-level caches: one cell a way, a letter for each run, dots for free ways. */
import { displayWidth, printable, truncate } from './display-width.ts';
import { formatBytes } from './format.ts';
import { TABLE_WIDTH } from './table.ts';

export interface DrawnDomain {
  readonly id: number;
  readonly ways: number;
  readonly freeWays: number;
  readonly wayBytes: number;
  readonly runs: readonly { readonly runId: string; readonly ways: number }[];
}
export interface DrawnNode {
  readonly name: string;
  readonly note: string;
  readonly domains: readonly DrawnDomain[];
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FREE = '·';
/** Lent to somebody that this view does not name (shared pool, or gossip older than the run). */
const UNNAMED = '#';
const NAME_WIDTH = 22;

/** ANSI colours that are readable on dark and light ground. */
const COLOURS = [36, 33, 35, 32, 34, 31, 96, 95];

/** Lines of at most 80 columns (colours aside), the legend last. */
export function drawWays(
  nodes: readonly DrawnNode[],
  { colour }: { readonly colour: boolean },
): readonly string[] {
  const letters = new Map<string, number>();
  const lines: string[] = [];
  for (const node of nodes) {
    for (const [index, domain] of node.domains.entries()) {
      const name = index === 0 ? truncate(printable(node.name), NAME_WIDTH, 'end') : '';
      const label = `${name}${' '.repeat(NAME_WIDTH - displayWidth(name))} LLC ${String(domain.id).padEnd(3)}`;
      lines.push(...drawDomain(label, domain, letters, colour));
    }
    if (node.domains.length === 0) {
      const name = truncate(printable(node.name), NAME_WIDTH, 'end');
      lines.push(`${name}${' '.repeat(NAME_WIDTH - displayWidth(name))} ${node.note}`);
    }
  }
  return [...lines, ...legend(letters, colour)];
}

function drawDomain(
  label: string,
  domain: DrawnDomain,
  letters: Map<string, number>,
  colour: boolean,
): readonly string[] {
  const cells: string[] = [];
  for (const run of domain.runs) {
    const letter = letters.get(run.runId) ?? letters.size;
    letters.set(run.runId, letter);
    cells.push(...Array<string>(run.ways).fill(paint(letter, colour)));
  }
  const named = cells.length;
  cells.push(...Array<string>(Math.max(0, domain.ways - domain.freeWays - named)).fill(UNNAMED));
  cells.push(...Array<string>(Math.max(0, domain.ways - cells.length)).fill(FREE));
  cells.length = domain.ways;

  const fact = ` ${domain.freeWays}/${domain.ways} free × ${formatBytes(domain.wayBytes)}`;
  const room = TABLE_WIDTH - displayWidth(label) - displayWidth(fact) - 3;
  const lines: string[] = [];
  for (let from = 0; from < cells.length; from += room) {
    const bar = `[${cells.slice(from, from + room).join('')}]`;
    lines.push(from === 0 ? `${label} ${bar}${fact}` : `${' '.repeat(displayWidth(label))} ${bar}`);
  }
  return lines;
}

function paint(index: number, colour: boolean): string {
  const letter = LETTERS[index % LETTERS.length] ?? UNNAMED;
  return colour ? `\u001b[${COLOURS[index % COLOURS.length]}m${letter}\u001b[0m` : letter;
}

function legend(letters: ReadonlyMap<string, number>, colour: boolean): readonly string[] {
  const lines = [
    `${FREE} free way   ${UNNAMED} lent, run not known here${letters.size === 0 ? '   no runs' : ''}`,
  ];
  for (const [runId, index] of letters)
    lines.push(`${paint(index, colour)} run ${truncate(printable(runId), 70, 'middle')}`);
  return lines;
}

/** Draws an explained prediction as SVG: a figure that explains itself, in light and in dark. Pure. */
import { printable } from '../protocols/schema/text.ts';
import { quantileCurve } from './choose-ways.ts';
import { type MeasuredDot, measuredDots } from './measured-dots.ts';
import type { CacheGeometry, MeasuredCurve, Prediction } from './types.ts';

export interface ExplainedPicture {
  readonly title: string;
  readonly subtitle: string;
  readonly geometry: CacheGeometry;
  readonly inputSize: number;
  readonly curves: readonly MeasuredCurve[];
  readonly slowdown: Prediction['slowdown'];
  readonly quantiles: Prediction['quantiles'];
  /** Null: nothing was chosen by the curve. */
  readonly chosenWays: number | null;
  readonly maxSlowdown: number;
}

const WIDTH = 720;
const HEIGHT = 428;
const PLOT = { left: 64, right: 24, top: 100, bottom: 72 } as const;
const MOST_TICKS = 16;
const LETTERS_A_LINE = 104;
/** A flat curve is drawn at the bottom of this, so that it looks flat. */
const LEAST_TOP = 1.2;

/** Without variables: viewers that are no browsers don't know them. */
const rules = (
  paper: string,
  ink: string,
  soft: string,
  grid: string,
  line: string,
  dot: string,
  chosen: string,
): string => `
  .paper { fill: ${paper}; }
  text { font: 13px system-ui, sans-serif; fill: ${ink}; }
  .title { font-size: 17px; font-weight: 600; }
  .soft { fill: ${soft}; font-size: 12px; }
  .grid { stroke: ${grid}; }
  .band { fill: ${line}; opacity: 0.18; }
  .line { fill: none; stroke: ${line}; stroke-width: 2; }
  .dot { fill: ${dot}; }
  .chosen { stroke: ${chosen}; stroke-width: 2; stroke-dasharray: 6 4; }
  .allowed { stroke: ${soft}; stroke-dasharray: 2 4; }
`;
const LIGHT = rules('#ffffff', '#1c2430', '#5b6675', '#dfe4ea', '#0b62b8', '#b3400a', '#18794e');
const DARK = rules('#12161c', '#e8edf3', '#9aa7b6', '#2b333d', '#6cb2ff', '#ff9a5c', '#4fd08f');
const STYLE = `${LIGHT}  @media (prefers-color-scheme: dark) {${DARK}  }
`;

export function explainSvg(picture: ExplainedPicture): string {
  const { geometry, slowdown, quantiles, maxSlowdown, chosenWays } = picture;
  const dots = measuredDots(picture).filter(({ ways }) => ways <= geometry.ways);
  const band = quantiles.length === 0 ? null : [quantileCurve(picture, 0.05), quantileCurve(picture, 0.95)];
  const heights = [LEAST_TOP, ...slowdown, ...(band?.[1] ?? []), ...dots.map((dot) => dot.slowdown)];
  // A limit far above everything would press the curve flat.
  const tallest = Math.max(...heights);
  const top = maxSlowdown <= 1 + 2 * (tallest - 1) ? Math.max(tallest, maxSlowdown) : tallest;
  const scale = scaleOf(geometry.ways, top);
  const parts = [
    ...grid(geometry, top, scale),
    band === null ? '' : `<path class="band" d="${bandPath(band as [number[], number[]], scale)}"/>`,
    slowdown.length === 0 ? '' : `<path class="line" d="${linePath(slowdown, scale)}"/>`,
    maxSlowdown > top ? '' : allowedLine(maxSlowdown, scale),
    chosenWays === null ? '' : chosenLine(chosenWays, scale),
    ...dots.map((dot) => dotMark(dot, scale)),
    legend(picture, dots.length > 0, band !== null),
  ];
  const subtitle = wrapped(picture.subtitle)
    .slice(0, 2)
    .map((line, index) => `<text class="soft" x="20" y="${48 + index * 16}">${escapeXml(line)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escapeXml(`${picture.title}. ${picture.subtitle}`)}">
<style>${STYLE}</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
<text class="title" x="20" y="28">${escapeXml(picture.title)}</text>
${[...subtitle, ...parts.filter((part) => part !== '')].join('\n')}
</svg>
`;
}

interface Scale {
  x(ways: number): number;
  y(slowdown: number): number;
}

function scaleOf(ways: number, top: number): Scale {
  const width = WIDTH - PLOT.left - PLOT.right;
  const height = HEIGHT - PLOT.top - PLOT.bottom;
  return {
    x: (count) => round(PLOT.left + (ways <= 1 ? 0 : ((count - 1) / (ways - 1)) * width)),
    y: (slowdown) => round(PLOT.top + height - ((slowdown - 1) / (top - 1)) * height),
  };
}

function grid({ ways, wayBytes }: CacheGeometry, top: number, { x, y }: Scale): string[] {
  const rows = [0, 0.25, 0.5, 0.75, 1].map((share) => 1 + share * (top - 1));
  const every = Math.ceil(ways / MOST_TICKS);
  const columns = Array.from({ length: ways }, (_, i) => i + 1).filter(
    (count) => count === 1 || count % every === 0,
  );
  const below = HEIGHT - PLOT.bottom;
  return [
    ...rows.map(
      (slowdown) =>
        `<line class="grid" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y(slowdown)}" y2="${y(slowdown)}"/>` +
        `<text class="soft" text-anchor="end" x="${PLOT.left - 8}" y="${y(slowdown) + 4}">${slowdownLabel(slowdown)}</text>`,
    ),
    ...columns.map(
      (count) =>
        `<text text-anchor="middle" x="${x(count)}" y="${below + 18}">${count}</text>` +
        `<text class="soft" text-anchor="middle" x="${x(count)}" y="${below + 34}">${mebibytes(count * wayBytes)}</text>`,
    ),
    `<text class="soft" text-anchor="end" x="${PLOT.left - 14}" y="${below + 18}">ways</text>`,
    `<text class="soft" text-anchor="end" x="${PLOT.left - 14}" y="${below + 34}">MiB</text>`,
    `<text class="soft" x="8" y="${PLOT.top - 14}">slowdown</text>`,
  ];
}

function bandPath([low, high]: [readonly number[], readonly number[]], { x, y }: Scale): string {
  const there = high.map((value, i) => `${x(i + 1)},${y(Math.max(1, value))}`);
  const back = low.map((value, i) => `${x(i + 1)},${y(Math.max(1, value))}`).toReversed();
  return `M${[...there, ...back].join('L')}Z`;
}

const linePath = (values: readonly number[], { x, y }: Scale): string =>
  `M${values.map((value, i) => `${x(i + 1)},${y(value)}`).join('L')}`;

const allowedLine = (maxSlowdown: number, { y }: Scale): string =>
  `<line class="allowed" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y(maxSlowdown)}" y2="${y(maxSlowdown)}"/>` +
  `<text class="soft" text-anchor="end" x="${WIDTH - PLOT.right}" y="${y(maxSlowdown) - 5}">allowed: ${slowdownLabel(maxSlowdown)}</text>`;

function chosenLine(ways: number, { x }: Scale): string {
  const at = x(ways);
  const anchor = at > WIDTH / 2 ? 'end' : 'start';
  return (
    `<line class="chosen" x1="${at}" x2="${at}" y1="${PLOT.top}" y2="${HEIGHT - PLOT.bottom}"/>` +
    `<text text-anchor="${anchor}" x="${at + (anchor === 'end' ? -6 : 6)}" y="${PLOT.top + 12}">${ways} ${ways === 1 ? 'way' : 'ways'} chosen</text>`
  );
}

/** Noise may bring a point below the time with the full cache: it is drawn at the bottom. */
const dotMark = ({ ways, slowdown, profiler }: MeasuredDot, { x, y }: Scale): string =>
  `<circle class="dot" r="4" cx="${x(Math.max(1, ways))}" cy="${y(Math.max(1, slowdown))}"><title>${escapeXml(profiler)}: ${Number(ways.toPrecision(3))} ways, ${slowdownLabel(slowdown)}</title></circle>`;

function legend({ slowdown }: ExplainedPicture, hasDots: boolean, hasBand: boolean): string {
  const entries = [
    ...(hasDots ? [['<circle class="dot" r="4" cx="8" cy="-4"/>', 'measured'] as const] : []),
    ...(slowdown.length > 0 ? [['<path class="line" d="M0,-4L16,-4"/>', 'expected'] as const] : []),
    ...(hasBand ? [['<rect class="band" x="0" y="-10" width="16" height="12"/>', '5 to 95 %'] as const] : []),
  ];
  const drawn = entries.map(
    ([mark, label], i) =>
      `<g transform="translate(${i * 110},0)">${mark}<text class="soft" x="22">${label}</text></g>`,
  );
  return `<g transform="translate(${PLOT.left},${HEIGHT - PLOT.bottom + 60})">${drawn.join('')}</g>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
const slowdownLabel = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)}×`;
const mebibytes = (bytes: number): string => String(Number((bytes / 2 ** 20).toPrecision(3)));

function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length < LETTERS_A_LINE)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Also without what turns the direction of writing, and the characters that XML can't have at all. */
function escapeXml(text: string): string {
  return printable(text)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

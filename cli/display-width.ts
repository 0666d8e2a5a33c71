/** How many columns text takes in a terminal, and how to make it take fewer. */

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** East Asian wide and full-width forms (Unicode UAX #11), as blocks; emoji are told by their own property. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const EMOJI = /^\p{Emoji_Presentation}|\ufe0f/u;
const NO_COLUMNS = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;

function graphemeWidth(grapheme: string): number {
  if (NO_COLUMNS.test(grapheme)) return 0;
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1;
}

const isPlain = (text: string) => /^[ -~]*$/.test(text);

/** Columns of one line of text without escape sequences. */
export function displayWidth(text: string): number {
  if (isPlain(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** As much of the beginning as fits in `width` columns. */
function head(text: string, width: number): string {
  let taken = '';
  let left = width;
  for (const { segment } of graphemes.segment(text)) {
    left -= graphemeWidth(segment);
    if (left < 0) break;
    taken += segment;
  }
  return taken;
}

function tail(text: string, width: number): string {
  const segments = [...graphemes.segment(text)].map(({ segment }) => segment);
  let first = segments.length;
  for (let left = width; first > 0; first--) {
    left -= graphemeWidth(segments[first - 1] ?? '');
    if (left < 0) break;
  }
  return segments.slice(first).join('');
}

/** Cuts text to `width` columns: names lose their end, ids their middle (both ends tell ids apart). */
export function truncate(text: string, width: number, where: 'end' | 'middle'): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 1) return width === 1 ? '…' : '';
  if (where === 'end') return `${head(text, width - 1)}…`;
  const before = Math.floor((width - 1) / 2);
  return `${head(text, before)}…${tail(text, width - 1 - before)}`;
}

/** Control characters would move the cursor or recolour the terminal: names and messages come from other machines. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '�');

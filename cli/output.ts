/** What a command says: results on standard output, everything else on standard error. */
import type { Environment } from '../node/config/config.ts';
import { printable, printableJson, printableLines } from '../protocols/schema/text.ts';

/** Where a line may hold colours, they are only these: the ones that we draw in. */
const ESCAPE = '\u001b';
const OUR_COLOUR = new RegExp(`(${ESCAPE}\\[(?:0|3[1-6]|9[56])m)`);

/** Lines for people. Whatever stands in them, and whoever said it, nothing of it reaches the terminal but text. */
export function print(lines: readonly string[], { colour = false } = {}): void {
  process.stdout.write(
    lines.map((line) => `${colour ? printableButColour(line) : printable(line)}\n`).join(''),
  );
}

const printableButColour = (line: string): string =>
  line
    .split(OUR_COLOUR)
    .map((part, index) => (index % 2 === 1 ? part : printable(part)))
    .join('');

/** Shows an answer: as it is for programs, that said --json, in lines for people. */
export function show<T>(
  { json }: { readonly json?: boolean | undefined },
  answer: T,
  describe: (answer: T) => readonly string[],
  style: { readonly colour?: boolean } = {},
): void {
  if (json) process.stdout.write(`${printableJson(JSON.stringify(answer, null, 2))}\n`);
  else print(describe(answer), style);
}

/** The clause may be of another machine. */
export function note(clause: string): void {
  process.stderr.write(`fsched: ${printable(clause)}\n`);
}

/**
 * Passes on what a program wrote, piece by piece: byte for byte to a file or another program, but without control
 * characters (tabs and ends of lines aside) to a person's terminal, which they could take over. Returns how to write a
 * piece; false: wait for `drain`.
 */
export function passOn(stream: NodeJS.WriteStream): (piece: Uint8Array | string) => boolean {
  if (stream.isTTY !== true) return (piece) => stream.write(piece);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (piece) =>
    stream.write(printableLines(typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true })));
}

/** Colour is for people at a terminal who have not said no (https://no-color.org). */
export const mayColour = (environment: Environment): boolean =>
  process.stdout.isTTY && !environment.NO_COLOR && environment.TERM !== 'dumb';

/** Shows lines on standard error in place of the last ones, only to a person at a terminal. */
export function drawInPlace(): (lines: readonly string[]) => void {
  if (process.stderr.isTTY !== true) return () => {};
  let drawn = 0;
  return (lines) => {
    const back = drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`;
    drawn = lines.length;
    process.stderr.write(back + lines.map((line) => `${printable(line)}\n`).join(''));
  };
}

/** Says in the same way, second by second, that something still goes on. Returns what ends it. */
export function showProgress(what: string): () => void {
  const draw = drawInPlace();
  const startedMs = performance.now();
  const tell = () => draw([`${what} … ${Math.floor((performance.now() - startedMs) / 1000)} s`]);
  tell();
  const timer = setInterval(tell, 1000);
  return () => {
    clearInterval(timer);
    draw([]);
  };
}

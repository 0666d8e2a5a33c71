/** What a command says: results on standard output, everything else on standard error. */
import type { Environment } from '../node/config/config.ts';
import { printable } from '../protocols/schema/text.ts';

export function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Shows an answer: as it is for programs, that said --json, in lines for people. */
export function show<T>(
  { json }: { readonly json?: boolean | undefined },
  answer: T,
  describe: (answer: T) => readonly string[],
): void {
  if (json) process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  else print(describe(answer));
}

/** The clause may be of another machine. */
export function note(clause: string): void {
  process.stderr.write(`fsched: ${printable(clause)}\n`);
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
    process.stderr.write(back + lines.map((line) => `${line}\n`).join(''));
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

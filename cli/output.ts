/** What a command says: results on standard output, everything else on standard error. */

export function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** The REST answer as it is, for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function note(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

/** Colour is for people at a terminal who have not said no (https://no-color.org). */
export const mayColour = (stream: { readonly isTTY?: boolean }): boolean =>
  stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

/** Says on standard error, only to a person at a terminal, that something still goes on. Returns what ends it. */
export function showProgress(what: string): () => void {
  if (process.stderr.isTTY !== true) return () => {};
  const startedMs = performance.now();
  const draw = () => {
    const seconds = Math.floor((performance.now() - startedMs) / 1000);
    process.stderr.write(`\r\u001b[2K${what} … ${seconds} s`);
  };
  draw();
  const timer = setInterval(draw, 1000);
  return () => {
    clearInterval(timer);
    process.stderr.write('\r\u001b[2K');
  };
}

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

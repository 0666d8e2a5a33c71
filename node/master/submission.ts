/** How a function is started and how large its input is, when the request doesn't say. Pure. */
import { extname } from 'node:path';

/** By file extension, in lower case. */
const INTERPRETERS: Readonly<Record<string, string>> = {
  '.py': 'python3',
  '.js': 'node',
  '.mjs': 'node',
  '.cjs': 'node',
  '.sh': 'sh',
  '.bash': 'bash',
  '.rb': 'ruby',
  '.pl': 'perl',
  '.lua': 'lua',
  '.php': 'php',
  '.r': 'Rscript',
};

const SHEBANG_BYTES = 256;

/** The function name that an upload gets when it gives none: the file name without its extension. */
export function functionNameOf(fileName: string): string {
  const extension = extname(fileName);
  return extension === fileName || extension === '' ? fileName : fileName.slice(0, -extension.length);
}

/**
 * The command in a `#!` line, or null. `env` is left out: a command is looked up in PATH anyway.
 * @param head the first bytes of the file
 */
export function shebangOf(head: Uint8Array): string | null {
  const line = Buffer.from(head.subarray(0, SHEBANG_BYTES)).toString('latin1').split('\n', 1)[0] ?? '';
  const match = /^#!\s*(?:\S*\/env\s+(?:-S\s+)?)?([\x21-\x7e][\x20-\x7e]*?)\s*$/.exec(line);
  return match?.[1] ?? null;
}

export function interpreterOf(fileName: string): string | null {
  return INTERPRETERS[extname(fileName).toLowerCase()] ?? null;
}

/**
 * `input_size` of the parameters, else their length as JSON in bytes; 0 without parameters. Null when there is an
 * `input_size` that is no size: guessing another one would run something that nobody asked for.
 */
export function inputSizeOf(parameters: unknown, json: string | null): number | null {
  if (typeof parameters !== 'object' || parameters === null || !('input_size' in parameters)) {
    return json === null ? 0 : Buffer.byteLength(json);
  }
  const given = parameters.input_size;
  const size = typeof given === 'string' && /^\d{1,16}$/.test(given) ? Number(given) : given;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : null;
}

/** From the text of a command to a program and its arguments: split like a shell would, run by none. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { parse } from 'shell-quote';
import { MAX_COMMAND_BYTES } from '../../protocols/schema/fields.ts';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { hasControlCharacters } from '../../protocols/schema/text.ts';

export interface CommandFailure {
  readonly code: 'BAD_COMMAND' | 'NOT_FOUND' | 'NOT_EXECUTABLE';
  /** Says what is wrong and what to do. */
  readonly message: string;
}

/** The words of `command`; the first names a program and is not empty. Pure. */
export function splitCommand(command: string): Outcome<readonly string[], CommandFailure> {
  const bad = (message: string) => fail<CommandFailure>({ code: 'BAD_COMMAND', message });
  if (command.length > MAX_COMMAND_BYTES) {
    return bad(
      `the command is longer than ${MAX_COMMAND_BYTES} characters; put long arguments into the file`,
    );
  }
  if (hasControlCharacters(command)) {
    return bad(
      'the command contains control characters (such as a line break); write it on one line without them',
    );
  }
  const checked = checkQuotes(command);
  if (!checked.ok) return bad(checked.error);
  const words: string[] = [];
  for (const entry of parseWords(checked.value)) {
    if (typeof entry !== 'string') return bad(explainSyntax(entry));
    words.push(entry);
  }
  if (words[0] === undefined || words[0] === '') {
    return bad('the command is empty; write the program that runs the file, for example "python3"');
  }
  return succeed(words);
}

/**
 * Absolute path of `program`: through `searchPath` (as in PATH), or from `directory` when it contains a slash.
 * @param allows whether a path may be named. One that may not is as good as not there: what is in closed directories is
 *   not told by telling why. @default all may
 */
export async function resolveProgram(
  program: string,
  searchPath: string,
  directory: string,
  allows: (path: string) => boolean = () => true,
): Promise<Outcome<string, CommandFailure>> {
  const candidates = program.includes('/')
    ? [resolve(directory, program)].filter(allows)
    : // Relative entries of PATH would name another place than they did for whoever wrote them.
      searchPath.split(delimiter).flatMap((entry) => (isAbsolute(entry) ? [join(entry, program)] : []));
  const found = await Promise.all(candidates.map((path) => isFile(path)));
  const files = candidates.filter((_, index) => found[index]);
  for (const file of files) if (await isExecutable(file)) return succeed(file);
  const present = files[0];
  if (present !== undefined) {
    const message = `"${program}" (${present}) is not executable; make it so, or name the program that runs it`;
    return fail({ code: 'NOT_EXECUTABLE', message });
  }
  const where = program.includes('/')
    ? 'does not exist, or lies where programs may not look'
    : 'was not found in the PATH of the node';
  const message = `the program "${program}" ${where}; install it on every node, or give another command`;
  return fail({ code: 'NOT_FOUND', message });
}

type Word = ReturnType<typeof parse>[number] | { readonly variable: string };

function parseWords(command: string): readonly Word[] {
  try {
    // A variable becomes an object, so that it is refused instead of silently being empty; a lone "$" stays one.
    return parse(command, (name) => (name === '' ? '$' : { variable: name }) as never);
  } catch {
    return [{ variable: '{' }];
  }
}

function explainSyntax(entry: Exclude<Word, string>): string {
  const noShell = 'no shell runs the command';
  if ('comment' in entry)
    return `the command contains a comment (#), but ${noShell}; quote it or leave it out`;
  if ('variable' in entry) {
    return `the command contains a variable ($${entry.variable}), but ${noShell}; write its value, or quote the $ with '`;
  }
  if ('pattern' in entry) {
    return `the command contains a pattern (${entry.pattern}), but ${noShell}; write the names, or quote it`;
  }
  const operator = 'op' in entry ? entry.op : '';
  return `the command contains the operator "${operator}", but ${noShell}; put a script that does this into the file`;
}

/**
 * Refuses what `shell-quote` passes over in silence (a quote without its partner, a backslash at the end, a backtick),
 * and rewrites two escapes that it doesn't know: of the signs of a pattern, and of a backtick between double quotes.
 */
function checkQuotes(command: string): Outcome<string, string> {
  let quote: string | null = null;
  let text = '';
  let bareDollar = false;
  for (let index = 0; index < command.length; index++) {
    let part = command[index] as string;
    if (part === '\\' && quote !== "'") {
      const next = command[++index];
      if (next === undefined) return fail('the command ends in a backslash; leave it out, or write two');
      if (quote === null && (next === '*' || next === '?')) {
        if (bareDollar) return fail("the command contains a $ before an escape; quote it with '");
        part = `'${next}'`;
      } else part = quote === '"' && next === '`' ? next : part + next;
    } else if (part === '`' && quote !== "'") {
      return fail(
        "the command contains a backtick, but no shell runs the command; quote it with ' or leave it out",
      );
    } else if (quote === null && (part === '"' || part === "'")) {
      quote = part;
    } else if (part === quote) {
      quote = null;
    }
    bareDollar = part === '$' && quote === null;
    text += part;
  }
  if (quote === null) return succeed(text);
  return fail(`a quote (${quote}) in the command is never closed; close it, or write \\${quote}`);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Turns what stopped a node from starting into one clause and an exit code of its own. */

import { formatHostPort } from '../node/addresses.ts';
import type { NodeConfig } from '../node/config/config.ts';
import { CliError, EXIT, type ExitCode } from './exit-codes.ts';

interface Clue {
  readonly code: string;
  readonly path: string | null;
}

export function explainStartFailure(error: unknown, config: NodeConfig): CliError {
  const clues = [...gather(error)];
  const find = (...codes: readonly string[]) => clues.find((clue) => codes.includes(clue.code));
  const explain = (exitCode: ExitCode, message: string) => new CliError(exitCode, message, { cause: error });

  // What the rooms call it when they can't listen.
  const isRest = find('LISTEN_FAILED') !== undefined;
  const [flag, address] = isRest ? ['--rest', formatHostPort(config.rest)] : ['--listen', config.listen];
  if (find('EADDRINUSE')) {
    const advice = `give another port with ${flag} (0: any free one)`;
    return explain(
      EXIT.ADDRESS_IN_USE,
      `the address ${address} is in use, perhaps by another node: ${advice}`,
    );
  }
  if (find('LEVEL_LOCKED', 'LOCKED', 'DATA_DIR_LOCKED')) {
    const advice = 'stop that one, or give another with --data-dir';
    return explain(
      EXIT.DATA_DIR_IN_USE,
      `the data directory ${config.dataDir} is in use by another node: ${advice}`,
    );
  }
  if (find('EADDRNOTAVAIL', 'ENOTFOUND')) {
    const advice = `give one of its own with ${flag}`;
    return explain(EXIT.START_FAILED, `this machine has no address ${address}: ${advice}`);
  }
  const permission = find('EACCES', 'EPERM', 'EROFS');
  if (permission === undefined) return CliError.because(EXIT.START_FAILED, "the node can't start", error);
  if (isRest || find('LISTEN')) {
    const advice = `give a port above 1023 with ${flag}`;
    return explain(EXIT.NO_PERMISSION, `no permission to listen on ${address}: ${advice}`);
  }
  const advice = 'let this user read and write there, or give another with --data-dir';
  return explain(EXIT.NO_PERMISSION, `no permission for ${permission.path ?? config.dataDir}: ${advice}`);
}

/** The error, its causes, and the errors that it gathers. */
function* gather(error: unknown, depth = 0): Generator<Clue> {
  if (!(error instanceof Error) || depth > 8) return;
  const { code, path, message } = error as NodeJS.ErrnoException;
  yield { code: code ?? '', path: path ?? null };
  // Some libraries keep only the text of the system's error.
  const named = /\b(E[A-Z]{4,}|LEVEL_LOCKED)\b/.exec(message)?.[1];
  if (named !== undefined) yield { code: named, path: null };
  if (/permission denied|read-only file system/i.test(message)) yield { code: 'EACCES', path: null };
  yield* gather(error.cause, depth + 1);
  if (error instanceof AggregateError) for (const part of error.errors) yield* gather(part, depth + 1);
}

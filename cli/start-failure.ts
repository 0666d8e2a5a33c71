/** Turns what stopped a node from starting into one sentence and an exit code of its own. */

import { formatHostPort } from '../node/addresses.ts';
import type { NodeConfig } from '../node/config/config.ts';
import { CliError, EXIT } from './exit-codes.ts';

interface Clue {
  readonly code: string;
  readonly path: string | null;
}

export function explainStartFailure(error: unknown, config: NodeConfig): CliError {
  const clues = [...gather(error)];
  const find = (...codes: readonly string[]) => clues.find((clue) => codes.includes(clue.code));

  // What the rooms call it when they can't listen.
  const isRest = find('LISTEN_FAILED') !== undefined;
  const [flag, address] = isRest ? ['--rest', formatHostPort(config.rest)] : ['--listen', config.listen];
  if (find('EADDRINUSE') !== undefined) {
    return explain(
      EXIT.ADDRESS_IN_USE,
      `The address ${address} is in use, perhaps by another node: give another port with ${flag} (0: any free one).`,
    );
  }
  if (find('LEVEL_LOCKED', 'LOCKED', 'DATA_DIR_LOCKED') !== undefined) {
    return explain(
      EXIT.DATA_DIR_IN_USE,
      `The data directory ${config.dataDir} is in use by another node: stop that one, or give another with --data-dir.`,
    );
  }
  if (find('EADDRNOTAVAIL', 'ENOTFOUND') !== undefined) {
    return explain(
      EXIT.START_FAILED,
      `This machine has no address ${address}: give one of its own with ${flag}.`,
    );
  }
  const permission = find('EACCES', 'EPERM', 'EROFS');
  if (permission !== undefined) {
    const cannotListen = isRest || find('LISTEN') !== undefined;
    return explain(
      EXIT.NO_PERMISSION,
      cannotListen
        ? `No permission to listen on ${address}: give a port above 1023 with ${flag}.`
        : `No permission for ${permission.path ?? config.dataDir}: let this user read and write there, or give another with --data-dir.`,
    );
  }
  const what = error instanceof Error ? error.message : String(error);
  return explain(EXIT.START_FAILED, `The node can't start: ${what.replace(/\.?$/, '.')}`);

  function explain(exitCode: ConstructorParameters<typeof CliError>[0], message: string): CliError {
    return new CliError(exitCode, message, { cause: error });
  }
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

/** Which token `fsched` shows to a node, and to which it shows none. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isLoopback } from '../node/addresses.ts';
import { defaultDataDir, type Environment, readHost } from '../node/config/config.ts';
import { orNull } from '../node/or-null.ts';
import { readSmallFileSync } from '../node/small-file.ts';
import { SocketOwners } from '../node/socket-owners.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { note } from './output.ts';

/** Where a token may come from, the first that is given. Not from a flag: every user of a machine sees the flags of all. */
export interface TokenSources {
  /** `--api-token-file`. */
  readonly file: string | null;
  readonly environment: Environment;
}

/** @throws CliError for a token that was named and can't be read */
export async function findToken(api: URL, { file, environment }: TokenSources): Promise<string | null> {
  if (file !== null) return readToken('--api-token-file', file);
  const { FSCHED_API_TOKEN: given, FSCHED_API_TOKEN_FILE: named } = environment;
  if (given) return checkToken('FSCHED_API_TOKEN', given.trim());
  if (named) return readToken('FSCHED_API_TOKEN_FILE', named);
  return isLoopback(api.hostname) ? tokenOfNodeHere(api, environment) : null;
}

export function readToken(what: string, path: string): string {
  let token: string;
  try {
    token = readSmallFileSync(path).trim();
  } catch (cause) {
    throw CliError.because(EXIT.USAGE, `${what}: the token can't be read`, cause);
  }
  return checkToken(`${what}: ${path}`, token);
}

function checkToken(what: string, token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CliError(EXIT.USAGE, `${what} must hold one token of printable ASCII characters`);
}

/**
 * The own token of a node of this machine, where there is one that we may read. While that node is down any user can listen in
 * its place, so it is shown only to its owner, and to root.
 */
async function tokenOfNodeHere(api: URL, environment: Environment): Promise<string | null> {
  const file = join(environment.FSCHED_DATA_DIR || defaultDataDir(environment, readHost()), 'api-token');
  const found = orNull(() => statSync(file));
  const token = found?.isFile() ? orNull(() => readToken('', file)) : null;
  if (!found || token === null) return null;
  const port = Number(api.port) || (api.protocol === 'https:' ? 443 : 80);
  const listeners = await new SocketOwners().listenersOn(port).catch(() => null);
  const stranger = listeners?.find((user) => user !== 0 && user !== found.uid);
  // Whoever takes the port between this look and the request gets nothing; a node that starts is asked again.
  if (listeners?.length === 0) return null;
  if (listeners === null || stranger !== undefined) {
    note(
      `the token in ${file} is not shown to what listens at ${api.host}: it runs as user ${stranger ?? 'unknown'}`,
    );
    return null;
  }
  return token;
}

/** What is refused at the door, with a sentence that says what to do. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { tokenFault } from '../protocols/schema/token.ts';
import { writeDurably } from './durable-file.ts';
import { newToken } from './new-token.ts';
import type { Logger, Random } from './ports.ts';
import { readSmallFile } from './small-file.ts';

export type StartErrorCode = 'RESCTRL' | 'TOKEN' | 'API_TOKEN' | 'MEMBERSHIP';

/** The daemon can't start; `message` is for the operator. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code: StartErrorCode;

  constructor(code: StartErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * The node's own API token: whoever may read it may do what the node may.
 * @param isOwn whether the file is the node's own, which it makes at its first start
 */
export async function loadApiToken(file: string, isOwn: boolean, random: Random): Promise<string> {
  let token: string;
  try {
    token = (await readSmallFile(file)).trim();
  } catch (cause) {
    if (isOwn && (cause as NodeJS.ErrnoException).code === 'ENOENT') {
      const made = newToken('api', random);
      await writeDurably(file, `${made}\n`);
      return made;
    }
    throw new StartError(
      'API_TOKEN',
      `the API token file ${file} can't be read (${cause instanceof Error ? cause.message : String(cause)}); make it, or name another with --api-token-file`,
      cause,
    );
  }
  const fault = tokenFault('api', token);
  if (fault === null) return token;
  throw new StartError(
    'API_TOKEN',
    `the API token file ${file} holds ${fault}; make one, for example by: openssl rand -hex 32`,
  );
}

/** Whoever reads a token file may do what its owner may. No file is no matter here. */
export async function warnIfOpen(file: string, what: string, logger: Logger): Promise<void> {
  const mode = await stat(file).then(
    (found) => found.mode & 0o777,
    () => 0,
  );
  if ((mode & 0o077) === 0) return;
  logger.warn({ file, mode: mode.toString(8) }, `others can get at the ${what}: chmod 600 ${file}`);
}

/**
 * Makes a directory and those above it, mode 0700. Not `mkdir` with `recursive`: that loops for ever where the
 * filesystem says "no such directory" of a directory to be made in one that exists, as /proc does.
 * @throws the error of mkdir(2)
 */
export async function makeDirectory(path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path; await isMissing(at); at = dirname(at)) missing.push(at);
  for (const directory of missing.reverse()) await mkdir(directory, { mode: 0o700 }).catch(unlessExists);
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT' && dirname(path) !== path,
  );
}

/** Somebody else made it meanwhile. */
function unlessExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

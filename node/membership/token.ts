/** Files that hold join tokens: whoever holds one may become a member. A first one is made by who founds a cluster. */
import { randomBytes } from 'node:crypto';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { tokenFault } from '../../protocols/schema/token.ts';
import { writeDurably } from '../durable-file.ts';
import { readSmallFile } from '../small-file.ts';

const TOKEN_BYTES = 32;

export interface TokenFailure {
  readonly code: 'MISSING' | 'TOO_SHORT' | 'UNREADABLE';
  readonly message: string;
}

/** Reads the token; surrounding white space does not count. With `create` a missing file is made, mode 0600. */
export async function loadToken(file: string, create: boolean): Promise<Outcome<string, TokenFailure>> {
  let text: string;
  try {
    text = (await readSmallFile(file)).trim();
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    if (missing && create) return succeed(await createToken(file));
    return fail(
      missing
        ? {
            code: 'MISSING',
            message: `there is no join token at ${file}; make one on a member with: fsched token create --join, and name its file with --token-file`,
          }
        : {
            code: 'UNREADABLE',
            message: `the join token ${file} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
          },
    );
  }
  const fault = tokenFault('join', text);
  if (fault !== null)
    return fail({ code: 'TOO_SHORT', message: `the join token file ${file} holds ${fault}` });
  return succeed(text);
}

async function createToken(file: string): Promise<string> {
  const token = randomBytes(TOKEN_BYTES).toString('hex');
  await writeDurably(file, `${token}\n`);
  return token;
}

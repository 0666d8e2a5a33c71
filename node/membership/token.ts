/** The join token: whoever holds it may become a member. Made once by the first node of a cluster. */
import { randomBytes } from 'node:crypto';
import { fail, type Outcome, succeed } from '../../protocols/schema/outcome.ts';
import { writeDurably } from '../durable-file.ts';
import { readSmallFile } from '../small-file.ts';

const TOKEN_BYTES = 32;
const MIN_CHARACTERS = 16;

export interface TokenFailure {
  readonly code: 'MISSING' | 'TOO_SHORT' | 'UNREADABLE';
  readonly message: string;
}

/** Reads the token; surrounding white space does not count. With `create` a missing file is made, mode 0600. */
export async function loadToken(file: string, create: boolean): Promise<Outcome<Uint8Array, TokenFailure>> {
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
            message: `there is no join token at ${file}; copy DATA-DIR/join-token of a member there, or name it with --token-file`,
          }
        : {
            code: 'UNREADABLE',
            message: `the join token ${file} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
          },
    );
  }
  if (text.length < MIN_CHARACTERS) {
    return fail({
      code: 'TOO_SHORT',
      message: `the join token in ${file} has ${text.length} characters; it needs ${MIN_CHARACTERS} or more`,
    });
  }
  return succeed(new TextEncoder().encode(text));
}

async function createToken(file: string): Promise<Uint8Array> {
  const token = new TextEncoder().encode(randomBytes(TOKEN_BYTES).toString('hex'));
  await saveToken(file, token);
  return token;
}

/** Atomic and durable, mode 0600. A member keeps the token, so that it can let others in and start again by itself. */
export async function saveToken(file: string, token: Uint8Array): Promise<void> {
  await writeDurably(file, `${new TextDecoder().decode(token)}\n`);
}

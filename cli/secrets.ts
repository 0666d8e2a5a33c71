/** `--secret NAME=FILE`: what is read of files, and never of the command line, where others could see it. */
import { Option } from 'commander';
import { readSmallBytes } from '../node/small-file.ts';
import { isValid } from '../protocols/schema/check.ts';
import { MAX_SECRET_BYTES, SECRET_NAME_RULE, SecretName } from '../protocols/schema/secret.ts';
import { CliError, EXIT } from './exit-codes.ts';

export interface SecretFlags {
  readonly secret?: readonly string[];
}

export const secretOption = (): Option =>
  new Option(
    '--secret <name=file>',
    'a secret for the program, in a file NAME of the directory FSCHED_SECRETS_DIR; - for FILE reads standard input; may be repeated',
  ).argParser((value: string, before: readonly string[] = []) => [...before, value]);

/** As REST takes them; undefined without any. */
export async function readSecrets({
  secret: given,
}: SecretFlags): Promise<Record<string, string> | undefined> {
  if (given === undefined) return undefined;
  const files = new Map<string, string>();
  for (const written of given) {
    const [, name, file] = /^([^=]*)=(.+)$/s.exec(written) ?? [];
    // Not repeated: whoever gets the form wrong may have written the secret itself.
    if (name === undefined || file === undefined)
      throw new CliError(EXIT.USAGE, '--secret: write NAME=FILE, where FILE holds the secret');
    if (!isValid(SecretName, name))
      throw new CliError(EXIT.USAGE, `--secret: a name is ${SECRET_NAME_RULE}; write NAME=FILE`);
    if (files.has(name)) throw new CliError(EXIT.USAGE, `--secret: ${name} is given more than once`);
    if (file === '-' && [...files.values()].includes('-'))
      throw new CliError(EXIT.USAGE, '--secret: standard input holds one secret: give the others by files');
    files.set(name, file);
  }
  const secrets: Record<string, string> = {};
  for (const [name, file] of files) secrets[name] = (await readSecret(name, file)).toString('base64');
  return secrets;
}

async function readSecret(name: string, file: string): Promise<Buffer> {
  try {
    return await (file === '-' ? readStandardInput() : readSmallBytes(file, { maxBytes: MAX_SECRET_BYTES }));
  } catch (cause) {
    throw CliError.because(EXIT.USAGE, `--secret ${name}: its file can't be read`, cause);
  }
}

/** Whoever types it may take the time that it takes. */
async function readStandardInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of process.stdin) {
    size += piece.length;
    if (size > MAX_SECRET_BYTES) throw new Error(`it has more than ${MAX_SECRET_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Secrets as they are handed in: `{"NAME": "base64"}`, in a JSON body or in a field of the upload's form. */
import Type from 'typebox';
import { isValid } from '../../../protocols/schema/check.ts';
import {
  MAX_SECRET_BYTES,
  MAX_SECRETS,
  MAX_SECRETS_BYTES,
  SECRET_NAME_RULE,
  type Secret,
  SecretName,
} from '../../../protocols/schema/secret.ts';
import { ApiError } from '../errors.ts';

/** The most characters that they can have as JSON, with room for white space. */
export const MAX_SECRETS_JSON_BYTES = 2 * MAX_SECRETS_BYTES;

export const SecretsField = Type.Unsafe<Readonly<Record<string, string>>>({
  type: 'object',
  additionalProperties: { type: 'string' },
  description: `Secrets by their names, in base64: files that only the program can read, in the directory that FSCHED_SECRETS_DIR names. Kept encrypted, and never shown again. At most ${MAX_SECRETS}, of ${MAX_SECRET_BYTES / 1024} KiB each and ${MAX_SECRETS_BYTES / 1024} KiB together.`,
  'x-expected': 'an object of names and base64 texts',
  examples: [{ DB_PASSWORD: 'aHVudGVyMg==' }],
});

/** Names only: nobody is shown more. */
export const SecretNames = Type.Array(Type.String(), { description: 'Names of its secrets.' });
export const namesOf = (secrets: readonly { readonly name: string }[]): string[] =>
  secrets.map(({ name }) => name);

/** In the order of their names. What is wrong is told by the name: what a secret holds is never repeated. */
export function toSecrets(field: Readonly<Record<string, string>> | undefined): Secret[] {
  const given = Object.entries(field ?? {});
  if (given.length > MAX_SECRETS)
    throw new ApiError(
      'BAD_REQUEST',
      `"secrets" has ${given.length} secrets: at most ${MAX_SECRETS} are taken`,
    );
  const secrets = given.map(([name, text]) => ({ name: checkName(name), value: decode(name, text) }));
  const bytes = secrets.reduce((sum, { value }) => sum + value.length, 0);
  if (bytes > MAX_SECRETS_BYTES) {
    throw new ApiError(
      'TOO_LARGE',
      `the secrets have ${bytes} bytes together: at most ${MAX_SECRETS_BYTES} are taken`,
    );
  }
  return secrets.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of a form, where they are text. */
export function parseSecrets(text: string): Secret[] {
  let field: unknown = null;
  try {
    field = JSON.parse(text);
  } catch {
    // Refused below: the parser's own words would repeat a piece of the text.
  }
  if (isValid(SecretsField, field)) return toSecrets(field);
  throw new ApiError(
    'BAD_REQUEST',
    'the form field "secrets" must be JSON: an object of names and base64 texts',
  );
}

function checkName(name: string): string {
  const isName: boolean = isValid(SecretName, name);
  if (isName) return name;
  const shown = JSON.stringify(name.slice(0, 64));
  throw new ApiError('BAD_REQUEST', `${shown} is no name of a secret: write ${SECRET_NAME_RULE}`);
}

function decode(name: string, text: string): Uint8Array {
  // Before it is decoded: 3 bytes are 4 characters.
  if (text.length > Math.ceil(MAX_SECRET_BYTES / 3) * 4)
    throw new ApiError('TOO_LARGE', `the secret ${name} is larger than ${MAX_SECRET_BYTES} bytes`);
  const value = Buffer.from(text, 'base64');
  if (value.toString('base64') !== text)
    throw new ApiError('BAD_REQUEST', `the secret ${name} must be in base64, with its padding`);
  if (value.length > MAX_SECRET_BYTES)
    throw new ApiError('TOO_LARGE', `the secret ${name} is larger than ${MAX_SECRET_BYTES} bytes`);
  return Uint8Array.from(value);
}

/** Takes a task file from a multipart form and streams it to the backend; never holds more of it than a buffer. */
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { MAX_COMMAND_BYTES, MAX_NAME_BYTES } from '../../protocols/schema/fields.ts';
import type { Answer } from '../../protocols/schema/outcome.ts';
import type { Secret } from '../../protocols/schema/secret.ts';
import type { Task } from '../../protocols/schema/task.ts';
import { hasControlCharacters } from '../../protocols/schema/text.ts';
import type { UploadFields } from '../master/requests.ts';
import type { RestBackend } from './backend.ts';
import { ApiError, toApiError, unwrap } from './errors.ts';
import { MAX_SECRETS_JSON_BYTES, parseSecrets } from './schemas/secrets.ts';

/** What a form may add to the file in boundaries, part headers and fields. */
const FORM_OVERHEAD_BYTES = 64 * 1024 + MAX_SECRETS_JSON_BYTES;

const NO_FILE =
  'no file specified: send the task as multipart form data in the field "file", for example curl -F file=@task.py';

/** Whether a request says by itself that it is larger than any that this node takes. */
export const saysTooLarge = (headers: IncomingHttpHeaders, maxUploadBytes: number): boolean =>
  Number(headers['content-length'] ?? 0) > maxUploadBytes + FORM_OVERHEAD_BYTES;

export const tooLarge = (limit: number): ApiError =>
  new ApiError('TOO_LARGE', `the file is larger than ${limit} bytes, which is the most that this node takes`);

/** A refusal of the backend that came before the whole file was read. */
class Refused extends Error {}

export async function receiveUpload(
  request: FastifyRequest,
  backend: RestBackend,
  maxUploadBytes: number,
): Promise<Task> {
  if (!request.isMultipart()) throw new ApiError('BAD_REQUEST', NO_FILE);
  const fields = new FormFields();
  let file: PassThrough | null = null;
  let creating: Promise<Answer<Task>> | null = null;
  try {
    for await (const part of request.parts(busboyOptions(maxUploadBytes))) {
      if (part.type === 'field') {
        fields.take(part.fieldname, part.value, part.valueTruncated);
        continue;
      }
      if (file !== null)
        throw new ApiError('BAD_REQUEST', 'send one file at a time: the form has more than one');
      if (part.fieldname !== 'file') throw new ApiError('BAD_REQUEST', NO_FILE);
      const fileName = checkFileName(part.filename);
      const content = new PassThrough();
      file = content;
      // It may fail while nobody reads it.
      content.on('error', () => {});
      creating = backend.createTask({ fileName, content, fields: () => fields.final(content) });
      const refused = creating.then(() => Promise.reject(new Refused()));
      await Promise.race([refused, pump(part.file, content, maxUploadBytes)]);
    }
    if (file === null || creating === null) throw new ApiError('BAD_REQUEST', NO_FILE);
    // Not before the whole form was read: what follows the file may still spoil it.
    file.end();
    return unwrap(await creating);
  } catch (error) {
    // The backend gave up on the content before it answered, and the copying noticed first: its answer is the cause.
    const abandoned = file?.destroyed === true && !(error instanceof ApiError);
    file?.destroy(new Error('the upload was broken off'));
    if ((error instanceof Refused || abandoned) && creating !== null) return unwrap(await creating);
    // The backend fails too, as its content was destroyed; the client is told the cause.
    creating?.catch(() => {});
    throw toFormError(error);
  }
}

const busboyOptions = (maxUploadBytes: number) => ({
  // A path must be seen to be refused; by default it is cut off.
  preservePath: true,
  throwFileSizeLimit: false,
  limits: {
    fileSize: maxUploadBytes,
    files: 2,
    fields: 16,
    parts: 20,
    fieldSize: MAX_SECRETS_JSON_BYTES,
    headerPairs: 32,
  },
});

/** Copies the file without ending `content`. */
async function pump(
  file: Readable & { readonly truncated: boolean },
  content: PassThrough,
  limit: number,
): Promise<void> {
  // Heard also while the backend is slow to take the last chunk.
  const broken = new Promise<never>((_, reject) => {
    file.once('limit', () => reject(tooLarge(limit)));
    file.once('error', reject);
  });
  broken.catch(() => {});
  const copy = async () => {
    for await (const chunk of file) {
      if (!content.write(chunk)) await Promise.race([once(content, 'drain'), broken]);
    }
  };
  await Promise.race([copy(), broken]);
  // A small form is parsed in one go, before anyone could listen for the limit.
  if (file.truncated) throw tooLarge(limit);
}

class FormFields {
  #name: string | null = null;
  #command: string | null = null;
  #secrets: readonly Secret[] = [];

  take(field: string, value: unknown, truncated: boolean): void {
    if (field === 'file') throw new ApiError('BAD_REQUEST', NO_FILE);
    if (field === 'name') this.#name = checkText(field, value, truncated, MAX_NAME_BYTES);
    if (field === 'command') this.#command = checkText(field, value, truncated, MAX_COMMAND_BYTES);
    if (field === 'secrets') this.#secrets = parseSecrets(truncated ? '' : String(value));
  }

  final(content: Readable): UploadFields {
    if (!content.readableEnded)
      throw new Error('the fields of an upload are known only once its content has ended');
    return { name: this.#name, command: this.#command, secrets: this.#secrets };
  }
}

function checkText(field: string, value: unknown, truncated: boolean, maxBytes: number): string {
  const fits = typeof value === 'string' && !truncated && Buffer.byteLength(value) <= maxBytes;
  if (fits && value.trim() !== '' && !hasControlCharacters(value)) return value;
  const expected = `text of 1 to ${maxBytes} bytes that is not blank and has no control characters`;
  throw new ApiError('BAD_REQUEST', `the form field "${field}" must be ${expected}`);
}

function checkFileName(name: string | undefined): string {
  if (name === undefined || name === '') {
    throw new ApiError('BAD_REQUEST', 'the file has no name: give it one, for example filename="task.py"');
  }
  const path = name === '.' || name === '..' || /[/\\]/.test(name);
  if (path) throw new ApiError('BAD_REQUEST', 'the file name must be a plain name without a path');
  if (hasControlCharacters(name))
    throw new ApiError('BAD_REQUEST', 'the file name has control characters: rename the file');
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new ApiError(
      'BAD_REQUEST',
      `the file name is longer than ${MAX_NAME_BYTES} bytes: rename the file`,
    );
  }
  return name;
}

function toFormError(error: unknown): unknown {
  if (error instanceof ApiError) return error;
  if (!(error instanceof Error)) return error;
  const code = (error as Error & { code?: unknown }).code;
  if (code === 'FST_FILES_LIMIT') {
    return new ApiError('BAD_REQUEST', 'send one file at a time: the form has more than one');
  }
  if (code === 'FST_PARTS_LIMIT' || code === 'FST_FIELDS_LIMIT') {
    return new ApiError(
      'BAD_REQUEST',
      'the form has too many fields: "file", "name", "command" and "secrets" are known',
    );
  }
  // Whatever else busboy says is about the form's syntax; the backend's own exceptions come by `creating`.
  const api = toApiError(error);
  if (api !== null || /multipart|boundary|terminated|header/i.test(error.message)) {
    return new ApiError('BAD_REQUEST', 'the multipart form is malformed or was broken off; send it again');
  }
  return error;
}

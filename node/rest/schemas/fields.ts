/** The fields that several requests share, and what every route may answer when it refuses. */
import Type, { type TSchema } from 'typebox';
import { DEFAULT_MAX_SLOWDOWN } from '../../../predictor/choose-ways.ts';

export const MAX_COMMAND_BYTES = 4096;

/** The control characters of C0 and C1, as the inside of a character class. */
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f';
const control = new RegExp(`[${CONTROL}]`);
export const hasControlCharacters = (text: string): boolean => control.test(text);

/** For ids, names and hosts: at least one character, none of them a control character. */
export const PLAIN_TEXT = `^[^${CONTROL}]+$`;
export const PLAIN_WORD = `^[^\\s${CONTROL}]+$`;

export const CommandField = Type.String({
  minLength: 1,
  maxLength: MAX_COMMAND_BYTES,
  // The look-ahead wants one character that isn't white space; both halves run in linear time.
  pattern: `^(?=\\s*\\S)[^${CONTROL}]+$`,
  description:
    'Program and arguments, split as a shell would; started as COMMAND FILE INPUT_SIZE without a shell.',
  'x-expected': `a string of 1 to ${MAX_COMMAND_BYTES} bytes that is not blank and has no control characters`,
  examples: ['python3'],
});

export const IdField = (what: string) =>
  Type.String({
    minLength: 1,
    maxLength: 128,
    pattern: PLAIN_TEXT,
    description: `Id of the ${what}.`,
    'x-expected': 'a string of 1 to 128 characters without control characters',
    examples: ['3f1c9a52d0e84b6f9d2a7c15e8b04d63'],
  });

export const InputSizeField = Type.Union(
  [Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.String({ pattern: '^[0-9]{1,16}$' })],
  {
    description:
      'Size of the input, handed to the program as its last argument. Old clients may send it as a string of digits.',
    'x-expected': `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
    examples: [1024],
  },
);

export const TimeLimitField = Type.Number({
  exclusiveMinimum: 0,
  maximum: 86_400,
  description: "Seconds after which the program is killed; the node's default when absent.",
  'x-expected': 'a number of seconds above 0 and at most 86400',
  examples: [60],
});

export const MaxSlowdownField = Type.Number({
  minimum: 1,
  maximum: 100,
  description:
    'How much slower than with the whole last-level cache the run may be: 1.05 allows 5 %. It gets the fewest ways that surely keep to it, and more while they are free.',
  'x-expected': 'a number from 1 to 100',
  default: DEFAULT_MAX_SLOWDOWN,
  examples: [1.05],
});

export const ProfilerField = Type.Enum(['wallclock', 'cachegrind', 'resctrl'], {
  description: 'The instrument.',
});

export const Timestamp = Type.String({ format: 'date-time', examples: ['2025-01-31T12:00:00.000Z'] });
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const MessageBody = (description: string, example: string) =>
  Type.Object({ message: Type.String() }, { description, examples: [{ message: example }] });

/** An answer that is not JSON. */
export const RawBody = (mediaType: string, description: string, example: string) => ({
  description,
  content: { [mediaType]: { schema: Type.String(), example } },
});

const explained: Readonly<Record<number, readonly [string, string, string]>> = {
  400: [
    'BAD_REQUEST',
    'The request is malformed; the message says what is wrong.',
    'Missing in the body: task_id.',
  ],
  401: ['UNAUTHORIZED', 'The API token is missing or wrong.', 'This API needs its token.'],
  403: [
    'FORBIDDEN',
    'Refused to protect against web pages.',
    'Web pages of other origins may not use this API.',
  ],
  404: ['NOT_FOUND', 'There is no such thing.', 'There is no task "abc"; GET /tasks lists them.'],
  409: ['CONFLICT', 'The state of things does not allow it.', 'The run has already ended.'],
  413: ['TOO_LARGE', 'The body is too large.', 'The file is larger than 268435456 bytes.'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'The body is of a type that is not understood.', 'The body must be JSON.'],
  422: ['UNPROCESSABLE', 'Understood, but the program failed.', 'The program exited with status 1.'],
  429: [
    'QUEUE_FULL',
    'The queue is full; see Retry-After.',
    'The queue is full (1024 runs): try again later.',
  ],
  500: [
    'WORKER_UNRESPONSIVE',
    'A worker did not answer, or this node failed.',
    'Nothing answers at 192.168.1.10.',
  ],
  503: ['NO_MASTER', 'There is no master at the moment; see Retry-After.', 'The cluster has no master.'],
};

const RetryAfter = {
  'retry-after': { type: 'integer', description: 'Seconds to wait before trying again.' },
};

function errorBody(status: number): TSchema {
  const [code, description, message] = explained[status] ?? ['INTERNAL', 'Refused.', 'Refused.'];
  const shape = {
    message: Type.String({ description: 'What is wrong and what to do.' }),
    code: Type.String({ description: 'For programs; never changes its meaning.' }),
  };
  const headers = status === 429 || status === 503 ? { headers: RetryAfter } : {};
  return Type.Object(shape, { description, ...headers, examples: [{ message, code }] });
}

/** Answers of a route that any node serves by itself. */
export const localErrors = () => errors(401, 403, 500);
/** Answers of a route that only the master serves, with its own beside. */
export const masterErrors = (...statuses: readonly number[]) => errors(401, 403, 500, 503, ...statuses);

const errors = (...statuses: readonly number[]): Record<number, TSchema> =>
  Object.fromEntries(statuses.map((status) => [status, errorBody(status)]));

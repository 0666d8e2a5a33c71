/** The fields that several requests share, and what every route may answer when it refuses. */
import Type, { type TSchema } from 'typebox';
import { DEFAULT_MAX_SLOWDOWN } from '../../../predictor/choose-ways.ts';
import { InputSize, MAX_INPUT_SIZE, MaxSlowdown } from '../../../protocols/schema/fields.ts';

/** Old clients send digits in a string. */
export const InputSizeField = Type.Union([InputSize, Type.String({ pattern: '^[0-9]{1,16}$' })], {
  description:
    'Size of the input, handed to the program as its last argument. Old clients may send it as a string of digits.',
  'x-expected': `a whole number from 0 to ${MAX_INPUT_SIZE}`,
  examples: [1024],
});

export const TimeLimitField = Type.Number({
  exclusiveMinimum: 0,
  maximum: 86_400,
  description: "Seconds after which the program is killed; the node's default when absent.",
  'x-expected': 'a number of seconds above 0 and at most 86400',
  examples: [60],
});

export const MaxSlowdownField = { ...MaxSlowdown, default: DEFAULT_MAX_SLOWDOWN };

export const Timestamp = Type.String({ format: 'date-time', examples: ['2025-01-31T12:00:00.000Z'] });

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
    'missing in the body: task_id',
  ],
  401: ['UNAUTHORIZED', 'The API token is missing or wrong.', 'this API needs its token'],
  403: [
    'FORBIDDEN',
    'Refused to protect against web pages.',
    'web pages of other origins may not use this API',
  ],
  404: ['NOT_FOUND', 'There is no such thing.', 'there is no task "abc"; GET /tasks lists them'],
  409: ['CONFLICT', 'The state of things does not allow it.', 'run abc is already over (succeeded)'],
  413: ['TOO_LARGE', 'The body is too large.', 'the file is larger than 268435456 bytes'],
  415: ['UNSUPPORTED_MEDIA_TYPE', 'The body is of a type that is not understood.', 'the body must be JSON'],
  422: ['UNPROCESSABLE', 'Understood, but the program failed.', 'the program exited with status 1'],
  429: [
    'QUEUE_FULL',
    'The queue is full (QUEUE_FULL), or this caller asks too often (RATE_LIMITED); see Retry-After.',
    'the queue is full (1024 runs): try again later',
  ],
  500: [
    'WORKER_UNRESPONSIVE',
    'A worker did not answer, or this node failed.',
    'nothing answers at 192.168.1.10',
  ],
  507: [
    'DISK_FULL',
    'The disk of the master is nearly full; see Retry-After.',
    'the disk of /var/lib/fsched is full: it takes no upload until there is more room',
  ],
  503: ['NO_MASTER', 'There is no master at the moment; see Retry-After.', 'the cluster has no master'],
};

const RetryAfter = {
  'retry-after': { type: 'integer', description: 'Seconds to wait before trying again.' },
};

const RETRYABLE = [429, 503, 507];

function errorBody(status: number): TSchema {
  const [code, description, message] = explained[status] ?? ['INTERNAL', 'Refused.', 'Refused.'];
  const shape = {
    message: Type.String({ description: 'What is wrong and what to do.' }),
    code: Type.String({ description: 'For programs; never changes its meaning.' }),
  };
  const headers = RETRYABLE.includes(status) ? { headers: RetryAfter } : {};
  return Type.Object(shape, { description, ...headers, examples: [{ message, code }] });
}

/** Answers of a route that any node serves by itself. */
export const localErrors = () => errors(401, 403, 429, 500);
/** Answers of a route that only the master serves, with its own beside. */
export const masterErrors = (...statuses: readonly number[]) => errors(401, 403, 429, 500, 503, ...statuses);

const errors = (...statuses: readonly number[]): Record<number, TSchema> =>
  Object.fromEntries(statuses.map((status) => [status, errorBody(status)]));

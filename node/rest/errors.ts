/** What a client is told when a request comes to nothing: always `{"message", "code"}` with the fitting status. */
import type { Duplex } from 'node:stream';
import type { Answer, ApiFailure } from '../../protocols/schema/outcome.ts';

export type ApiErrorCode =
  | ApiFailure['code']
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'METHOD_NOT_ALLOWED'
  | 'REQUEST_TIMEOUT'
  | 'RATE_LIMITED'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'HEADERS_TOO_LARGE'
  | 'INTERNAL';

const statusOf: Readonly<Record<ApiErrorCode, number>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNPROCESSABLE: 422,
  QUEUE_FULL: 429,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL: 500,
  WORKER_UNRESPONSIVE: 500,
  NO_MASTER: 503,
  UNAVAILABLE: 503,
  DISK_FULL: 507,
};

/** Codes after which the same request may well succeed a little later. */
const retryable: ReadonlySet<ApiErrorCode> = new Set(['QUEUE_FULL', 'NO_MASTER', 'UNAVAILABLE', 'DISK_FULL']);

/** A refusal on its way to the client; `headers` are sent with it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ApiErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.statusCode = statusOf[code];
    this.headers = headers;
  }

  /** The body that the client gets. */
  toJSON(): { readonly message: string; readonly code: ApiErrorCode } {
    return { message: this.message, code: this.code };
  }
}

export function failureToError(failure: ApiFailure): ApiError {
  const seconds = String(Math.max(1, Math.ceil(failure.retryAfterSeconds ?? 1)));
  return new ApiError(
    failure.code,
    failure.message,
    retryable.has(failure.code) ? { 'retry-after': seconds } : {},
  );
}

/** The value of an answer; throws the `ApiError` of a refusal. */
export function unwrap<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  throw failureToError(answer.error);
}

export const noMaster = (reason: string, retryAfterSeconds = 1): ApiError =>
  failureToError({ code: 'NO_MASTER', message: reason, retryAfterSeconds });

export const JSON_TOO_LARGE = 'the JSON body is larger than this node takes; send less';

const fastifyErrors: Readonly<Record<string, readonly [ApiErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['TOO_LARGE', JSON_TOO_LARGE],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'UNSUPPORTED_MEDIA_TYPE',
    'the body must be JSON: send it with "Content-Type: application/json"',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'BAD_REQUEST',
    'the body does not have as many bytes as Content-Length says',
  ],
  FST_ERR_MAX_PARAM_LENGTH: ['NOT_FOUND', 'there is nothing with so long an id'],
  FST_ERR_BAD_URL: ['BAD_REQUEST', 'the path is not a valid URL path; percent-encode special characters'],
};

/** The client's view of anything thrown; null when it is our fault and the cause is for the log only. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as Error & { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? fastifyErrors[code] : undefined;
  if (known !== undefined) return new ApiError(known[0], known[1]);
  // The body of a client that hung up or sent garbage: fastify marks what is the client's fault.
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new ApiError('BAD_REQUEST', 'the request could not be read; send it again');
  }
  return null;
}

/** Answers on a connection before, or without, what fastify makes of its requests, and closes it. */
export function answerAtOnce(socket: Duplex, error: ApiError): void {
  socket.end(answerOf(error), () => socket.destroy());
}

/** The whole answer as it goes over the wire; the connection ends with it. */
export function answerOf(error: ApiError): string {
  const body = JSON.stringify(error);
  const headers = {
    connection: 'close',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...error.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${error.statusCode} ${error.code}\r\n${lines.join('')}\r\n${body}`;
}

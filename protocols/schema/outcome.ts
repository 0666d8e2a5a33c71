/** Expected outcomes are values; exceptions are for broken promises. */

/** What came of something that may come to nothing. */
export type Outcome<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export const succeed = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
export const fail = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

/** A refusal that a client sees: `message` says what to do. The REST room maps `code` to a status. */
export interface ApiFailure {
  readonly code:
    | 'BAD_REQUEST' // 400
    | 'NOT_FOUND' // 404
    | 'CONFLICT' // 409
    | 'TOO_LARGE' // 413
    | 'UNPROCESSABLE' // 422: understood, but the program failed (a benchmark)
    | 'QUEUE_FULL' // 429, Retry-After
    | 'WORKER_UNRESPONSIVE' // 500, as the seed's README documents
    | 'NO_MASTER' // 503, Retry-After
    | 'UNAVAILABLE' // 503, Retry-After
    | 'DISK_FULL'; // 507, Retry-After
  readonly message: string;
  readonly retryAfterSeconds?: number;
}
export type Answer<T> = Outcome<T, ApiFailure>;

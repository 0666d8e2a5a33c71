/** Why a conversation over a stream broke off. */
export type WireErrorCode =
  /** The bytes aren't what the protocol says. */
  | 'MALFORMED'
  /** A frame is longer than its protocol allows. */
  | 'TOO_LARGE'
  /** The other end finished in the middle of something. */
  | 'TRUNCATED'
  /** The connection under the stream was lost. */
  | 'CLOSED'
  /** The other end threw the stream away: a refusal, when nothing was answered before. */
  | 'RESET'
  /** This end gave up waiting. */
  | 'TIMEOUT'
  /** This end was told to stop. */
  | 'ABORTED';

export class WireError extends Error {
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'WireError';
    this.code = code;
  }
}

/** Whatever was thrown while talking over a stream, as a WireError. */
export function asWireError(cause: unknown): WireError {
  if (cause instanceof WireError) return cause;
  const error = cause instanceof Error ? cause : new Error(String(cause));
  if (error.name === 'StreamResetError')
    return new WireError('RESET', 'the peer reset the stream', { cause });
  return new WireError('CLOSED', error.message === '' ? 'the stream is closed' : error.message, { cause });
}

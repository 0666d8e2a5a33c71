/** Broken promises of this room; expected outcomes are values (`ProposalFailure`). */
export type ConsensusErrorCode =
  /** The log contradicts itself or what was committed. Nothing may be acknowledged any more. */
  | 'CORRUPT'
  /** A command is larger than `maxEntryBytes`. */
  | 'TOO_LARGE'
  /** `bootstrap` on a log that isn't empty. */
  | 'NOT_EMPTY'
  /** Called in a state in which it makes no sense, for example before `start`. */
  | 'MISUSE';

export class ConsensusError extends Error {
  readonly code: ConsensusErrorCode;

  constructor(code: ConsensusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConsensusError';
    this.code = code;
  }
}

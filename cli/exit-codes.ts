/** How `fsched` ends. Scripts rely on these numbers: they never change their meaning. */
export const EXIT = {
  OK: 0,
  /** The command did its part, but the program that it ran, the benchmark or the demo failed. */
  FAILED: 1,
  USAGE: 2,
  UNREACHABLE: 3,
  NO_MASTER: 4,
  REFUSED: 5,
  NOT_FOUND: 6,
  TIMED_OUT: 7,
  NODE_FAILED: 8,
  ADDRESS_IN_USE: 10,
  DATA_DIR_IN_USE: 11,
  NO_PERMISSION: 12,
  START_FAILED: 13,
  /** A mistake in fsched itself. */
  INTERNAL: 70,
  INTERRUPTED: 130,
  TERMINATED: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `Exit codes:
  0  ok                                    7  timed out
  1  the run, benchmark or demo failed     8  the node failed (5xx)
  2  wrong usage or configuration         10  start: address in use
  3  no node answers at --api             11  start: data directory in use
  4  there is no master now               12  start: no permission
  5  refused (4xx)                        13  start: failed otherwise
  6  not found                            70  a mistake in fsched itself
                                         130  interrupted (143: terminated)`;

/** Ends the program with `exitCode` after `message`, a clause in lower case that says what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }

  /** `what` went wrong, and why. */
  static because(exitCode: ExitCode, what: string, cause: unknown): CliError {
    return new CliError(exitCode, `${what}: ${messageOf(cause)}`, { cause });
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

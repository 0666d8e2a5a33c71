/**
 * The world outside, as ports: everything that a core needs but may not reach for itself.
 * The real adapters stand in `adapters.ts`; tests and the simulator bring their own.
 */

/** Stops what it was returned for; calling it twice is harmless. */
export type Cancel = () => void;

export interface Clock {
  /**
   * Wall-clock time, milliseconds since the Unix epoch. Recorded, shown, and the bound of terms; never used to measure.
   */
  nowMs(): number;
  /** Monotonic milliseconds since an arbitrary start, for measuring and for deadlines. */
  monotonicMs(): number;
  /** Calls `task` once after `delayMs` milliseconds. */
  after(delayMs: number, task: () => void): Cancel;
  /** Calls `task` every `periodMs` milliseconds until cancelled. */
  every(periodMs: number, task: () => void): Cancel;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A new identifier that nobody else has: 128 random bits as lower-case hexadecimal. */
  id(): string;
}

/** The subset of a pino logger that the rooms use: the object holds the fields, the message names the event. */
export interface Logger {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  child(fields: object): Logger;
}

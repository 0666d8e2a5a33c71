export interface Finding {
  /** Name of what was looked at. */
  readonly what: string;
  /** `missing`: a node runs without it, with less; `failed`: it would not start, or not as it was told to. */
  readonly state: 'ok' | 'missing' | 'failed';
  /** What was found; where something is missing, what follows from that and what to do. */
  readonly message: string;
}

/** Makes the finding of one state of `what`. */
export const finding = (what: string, state: Finding['state'], message: string): Finding => ({
  what,
  state,
  message,
});

/** What a test of a file gives that doesn't throw. */
export const succeeds = (attempt: Promise<unknown>): Promise<boolean> =>
  attempt.then(
    () => true,
    () => false,
  );

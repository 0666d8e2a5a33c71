export interface Finding {
  /** Name of what was looked at. */
  readonly what: string;
  /** `missing`: a node runs without it, with less; `failed`: it would not start, or not as it was told to. */
  readonly state: 'ok' | 'missing' | 'failed';
  /** What was found; where something is missing, what follows from that and what to do. */
  readonly message: string;
}

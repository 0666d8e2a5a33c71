/** What the state machine gives and keeps beside the nouns of `protocols/schema`. */
import type { Change } from '../../protocols/schema/change.ts';
import type { RunTime } from '../../protocols/schema/run.ts';

/** Why a token doesn't hold. */
export type TokenFault = 'UNKNOWN_TOKEN' | 'REVOKED' | 'EXPIRED' | 'USED_UP';

/** The last times of one task with one command at one input size. */
export interface RunTimes {
  readonly taskId: string;
  readonly command: string;
  readonly inputSize: number;
  /** In the order in which they were recorded. */
  readonly times: readonly RunTime[];
  /** Since when the task takes another time here; null: it behaves as it always did. */
  readonly change: Change | null;
}

export type ApplyResult =
  | { readonly ok: true; readonly runId?: string; readonly modelVersion?: number }
  /** `EXISTS` of a run-create carries the run that the idempotency key already made. */
  | {
      readonly ok: false;
      readonly code: 'STALE' | 'NOT_FOUND' | 'EXISTS' | 'MALFORMED' | 'REMOVED' | 'FULL' | TokenFault;
      readonly runId?: string;
    };

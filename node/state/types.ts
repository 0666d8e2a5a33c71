/** What the state machine gives and keeps beside the nouns of `protocols/schema`. */
import type { Change } from '../../protocols/schema/change.ts';
import type { RunTime } from '../../protocols/schema/run.ts';

export type { TableVersions } from '../../protocols/schema/capacity.ts';
// TEMPORARY
export type { Command } from '../../protocols/schema/command.ts';
export type { Member } from '../../protocols/schema/member.ts';
export type { DroppedModel, LearnedFrom, ModelVersion, NewModel } from '../../protocols/schema/model.ts';
export type {
  Assignment,
  CacheUse,
  CounterSummary,
  Enforcement,
  Isolation,
  Llc,
  Measurement,
  Mode,
  Output,
  ProcessCensus,
  Run,
  RunChoice,
  RunResult,
  RunSpec,
  RunState,
  RunTime,
} from '../../protocols/schema/run.ts';
export type { Measure, Profile, ProfilePoint, ProfilerName, Task } from '../../protocols/schema/task.ts';
export type TerminalState = 'succeeded' | 'failed' | 'timed_out' | 'cancelled' | 'lost';
// END TEMPORARY

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
      readonly code: 'STALE' | 'NOT_FOUND' | 'EXISTS' | 'MALFORMED';
      readonly runId?: string;
    };

/** Attempts: the master's order, what a worker holds of it, and what it reports. Fenced by (term, attempt). */
import Type from 'typebox';
import {
  Attempt,
  bytes,
  Command,
  DomainId,
  FileName,
  InputSize,
  listOf,
  MAX_OUTPUT_BYTES,
  MAX_PARAMETERS_BYTES,
  moment,
  nullable,
  oneOf,
  RunId,
  Sha256,
  sentence,
  TaskId,
  Term,
  TimeLimitMs,
  type Value,
  Ways,
} from './fields.ts';
import { executed, ReportedState } from './run.ts';
import { MAX_SECRETS, Secret } from './secret.ts';
import { Measure } from './task.ts';

/** Which try at which run this is about, and by whose order. */
const fence = { runId: RunId, attempt: Attempt, term: Term };

export const Dispatch = Type.Object({
  ...fence,
  taskId: TaskId,
  fileName: FileName,
  sha256: Sha256,
  command: Command,
  inputSize: InputSize,
  parameters: nullable(Type.String({ maxLength: MAX_PARAMETERS_BYTES })),
  /** Of the task and of the run: opened, so that only members that may become master need the key. */
  secrets: listOf(Secret, 2 * MAX_SECRETS),
  timeLimitMs: TimeLimitMs,
  domain: DomainId,
  ways: Ways,
  /** How it is measured; null: not at all. */
  measure: nullable(Measure),
  /** Whether it gains from cache; if not it belongs into the shared pool. */
  sensitive: Type.Boolean(),
});
/** The master's order to carry out one attempt of a run. */
export type Dispatch = Value<typeof Dispatch>;

export const HeldAttempt = Type.Object({
  ...fence,
  domain: DomainId,
  ways: Ways,
  phase: oneOf(['running', 'reporting']),
});
/** An attempt that this worker is carrying out, or has finished and not yet handed in. */
export type HeldAttempt = Value<typeof HeldAttempt>;

export const StartedNotice = Type.Object({ ...fence, atMs: moment() });
/** That an attempt has started; told to the master once and as well as can be. */
export type StartedNotice = Value<typeof StartedNotice>;

const CapturedOutput = Type.Object({ bytes: bytes(MAX_OUTPUT_BYTES), truncated: Type.Boolean() });
export type CapturedOutput = Value<typeof CapturedOutput>;

const AttemptResult = Type.Object({ ...executed, stdout: CapturedOutput, stderr: CapturedOutput });
/** As `RunResult`, with the output still in bytes. */
export type AttemptResult = Value<typeof AttemptResult>;

export const AttemptReport = Type.Object({
  ...fence,
  state: ReportedState,
  result: nullable(AttemptResult),
  error: nullable(sentence()),
  atMs: moment(),
});
/** What became of one attempt. Sent to the master, again and again, until one takes it. */
export type AttemptReport = Value<typeof AttemptReport>;

export const OutputStream = oneOf(['stdout', 'stderr']);
export type OutputStream = Value<typeof OutputStream>;

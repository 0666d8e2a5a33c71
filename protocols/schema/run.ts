/**
 * Runs: what one needs, where it is, what came of it. `queued -> assigned -> running -> succeeded | failed | timed_out
 * | cancelled | lost`.
 */
import Type from 'typebox';
import {
  Attempt,
  amount,
  Command,
  CpuModel,
  Cpus,
  DomainId,
  INLINE_OUTPUT_BYTES,
  InputSize,
  MAX_OUTPUT_BYTES,
  MAX_PARAMETERS_BYTES,
  MAX_WAYS,
  moment,
  NodeId,
  name,
  nullable,
  oneOf,
  RunId,
  Sha256,
  sentence,
  TaskId,
  Term,
  TimeLimitMs,
  type Value,
  WayBytes,
  Ways,
  whole,
} from './fields.ts';
import { SealedSecrets } from './secret.ts';
import { Measure } from './task.ts';

export const Mode = oneOf(['INOP', 'BENCHMARKED', 'ASSISTED'], {
  description: 'What the choice of ways rests on: nothing, a benchmark at this input size, or at others.',
});
export type Mode = Value<typeof Mode>;

/** How runs end by what their worker says. */
const REPORTED_STATES = ['succeeded', 'failed', 'timed_out', 'cancelled'] as const;
export const TERMINAL_STATES = [...REPORTED_STATES, 'lost'] as const;
export const RUN_STATES = ['queued', 'assigned', 'running', ...TERMINAL_STATES] as const;
export const ReportedState = oneOf(REPORTED_STATES);
export const RunState = oneOf(RUN_STATES);
export type RunState = Value<typeof RunState>;

const terminal: ReadonlySet<RunState> = new Set(TERMINAL_STATES);
/** Whether the run is over. */
export const isTerminal = ({ state }: { readonly state: RunState }): boolean => terminal.has(state);
/** Whether the run holds ways on a node. */
export const isPlaced = ({ state }: { readonly state: RunState }): boolean =>
  state === 'assigned' || state === 'running';

export const Enforcement = oneOf(['enforced', 'shared', 'unenforced'], {
  description:
    'Whether resctrl held the ways, the run was in the shared pool, or they were only accounted for.',
});
export type Enforcement = Value<typeof Enforcement>;

export const Isolation = Type.Object(
  {
    user: name(256),
    ownUser: Type.Optional(
      Type.Boolean({ description: 'Whether no other run had that user. Older versions do not tell.' }),
    ),
    limits: oneOf(['cgroup', 'prlimit', 'none']),
    sandbox: oneOf(['bubblewrap', 'none']),
    seccomp: Type.Optional(
      Type.Boolean({
        description: 'Whether system calls that no function needs were refused. Older versions do not tell.',
      }),
    ),
    network: Type.Boolean({ description: 'Whether the program could reach the network.' }),
    pinned: Type.Boolean({ description: 'Whether it was kept to the CPUs of its LLC domain.' }),
  },
  { description: 'What kept the program from the machine and from other programs.' },
);
export type Isolation = Value<typeof Isolation>;

const Counter = (description: string) =>
  nullable(Type.Object({ last: amount(), peak: amount(), mean: amount() }, { description }));

export const CacheUse = Type.Object(
  {
    samples: whole(),
    occupancyBytes: Counter('Of its LLC domain; may exceed its ways, for old lines stay where they are.'),
    bandwidthBytesPerSecond: Counter('To and from all memory.'),
    localBandwidthBytesPerSecond: Counter('To and from the memory of its own NUMA node.'),
  },
  { description: 'What the counters of the hardware said of the run; null where one said nothing.' },
);
export type CacheUse = Value<typeof CacheUse>;
export type CounterSummary = NonNullable<CacheUse['occupancyBytes']>;

const ProcessCensus = Type.Object({
  count: whole(),
  mostly: sentence({ description: 'Command of the process with the most cycles.' }),
  share: amount({ maximum: 1, description: 'Its share of all cycles.' }),
});
/** Counts are added up over all processes of a program, which may be more than it looks. */
export type ProcessCensus = Value<typeof ProcessCensus>;

export const Measurement = Type.Object(
  {
    seconds: amount(),
    counts: nullable(
      Type.Object(
        {
          cycles: whole({ description: 'Instructions + 10 x L1 misses + 100 x LLC misses.' }),
          iRefs: whole(),
          l1Misses: whole(),
          llMisses: whole(),
        },
        { description: 'Of a simulation, over all processes of the program; null when it was timed.' },
      ),
    ),
    processes: nullable(ProcessCensus),
  },
  { description: 'What the profiler read; counts are those of a simulation.' },
);
export type Measurement = Value<typeof Measurement>;

export const Llc = Type.Object(
  { ways: Ways, wayBytes: WayBytes, cpuModel: CpuModel },
  { description: 'A last-level cache, as far as times of runs on it can be compared.' },
);
export type Llc = Value<typeof Llc>;

/** Captured output: small ones travel in the record, large ones are files found by SHA-256. */
export const Output = Type.Union([
  Type.Object({
    kind: Type.Literal('inline'),
    encoding: oneOf(['utf8', 'base64']),
    data: Type.String({ maxLength: 2 * INLINE_OUTPUT_BYTES }),
    size: whole({ maximum: MAX_OUTPUT_BYTES }),
    truncated: Type.Boolean(),
  }),
  Type.Object({
    kind: Type.Literal('blob'),
    sha256: Sha256,
    size: whole({ maximum: MAX_OUTPUT_BYTES }),
    truncated: Type.Boolean(),
  }),
]);
export type Output = Value<typeof Output>;

/** What is said of an execution beside its output. */
export const executed = {
  pid: nullable(whole({ maximum: 0x7fff_ffff })),
  exitStatus: whole({
    maximum: 255,
    description: '128 + number of the signal that ended it; 127: could not be started.',
  }),
  signal: nullable(name(32)),
  executionTimeNs: whole({ description: 'Wall time of the program alone.' }),
  measurement: nullable(Measurement),
  startedAtMs: moment(),
  cpus: Cpus,
  enforcement: Enforcement,
  enforcementReason: nullable(sentence({ description: 'Why it is not `enforced`.' })),
  cacheUse: nullable(CacheUse),
  isolation: nullable(Isolation),
  llc: nullable(Llc),
};

export const RunResult = Type.Object({ ...executed, stdout: Output, stderr: Output });
export type RunResult = Value<typeof RunResult>;

export const Assignment = Type.Object({
  node: NodeId,
  domain: DomainId,
  ways: Ways,
  term: Term,
  attempt: Attempt,
  atMs: moment(),
});
/** Where a run is placed. `term` and `attempt` fence it. */
export type Assignment = Value<typeof Assignment>;

export const RunChoice = Type.Object(
  {
    needed: whole({
      maximum: MAX_WAYS,
      description: 'The fewest ways that keep the slowdown within what is allowed.',
    }),
    ways: whole({
      maximum: MAX_WAYS,
      description: 'Ways wanted: more than needed while they are free and help.',
    }),
    expectedSlowdown: amount({ description: 'Expected with these ways, relative to the whole cache.' }),
    atMost: amount({ description: 'The slowdown is surely at most this.' }),
    maxSlowdown: Type.Number({ minimum: 1, maximum: 100, description: 'What the request allowed.' }),
    model: name(64),
    modelVersion: nullable(whole({ description: 'Null for a method without weights.' })),
  },
  { description: 'Why it got so many ways. Null for benchmarks and in mode INOP.' },
);
export type RunChoice = Value<typeof RunChoice>;

export const RunSpec = Type.Object({
  id: RunId,
  taskId: TaskId,
  command: Command,
  inputSize: InputSize,
  /** JSON text for standard input and FSCHED_PARAMETERS; null: neither is given. */
  parameters: nullable(Type.String({ maxLength: MAX_PARAMETERS_BYTES })),
  /** What `parameters` were, once the run is over: nobody runs them again, and ten thousand runs keep theirs. */
  droppedParameters: nullable(Type.Object({ bytes: whole(), sha256: Sha256 })),
  /** Beside the task's, which give way to those of the same name. */
  secrets: SealedSecrets,
  purpose: oneOf(['run', 'benchmark']),
  mode: Mode,
  /** Ways wanted; clamped to the largest domain at placement. */
  ways: Ways,
  choice: nullable(RunChoice),
  /** Where it must run, since a benchmark stays on one domain; null: anywhere. */
  pinnedTo: nullable(Type.Object({ node: NodeId, domain: DomainId })),
  /** Whether it gains from cache; if not it belongs into the shared pool, and counts for its share of it. */
  sensitive: Type.Boolean(),
  /** Null: not measured. `ways` above stays what is reserved. */
  measure: nullable(Measure),
  timeLimitMs: TimeLimitMs,
  idempotencyKey: nullable(Type.String({ minLength: 1, maxLength: 255 })),
  createdAtMs: moment(),
});
/** What a run needs; fixed when it is accepted. */
export type RunSpec = Value<typeof RunSpec>;

export const Run = Type.Object({
  spec: RunSpec,
  state: RunState,
  /** The current or last placement. */
  assignment: nullable(Assignment),
  /** How many attempts were ever assigned. */
  attempts: Attempt,
  startedAtMs: nullable(moment()),
  finishedAtMs: nullable(moment()),
  result: nullable(RunResult),
  error: nullable(sentence({ description: 'What went wrong and what to do.' })),
});
export type Run = Value<typeof Run>;

/** The time of one run that succeeded, as evidence of how its task behaves. */
export interface RunTime {
  readonly seconds: number;
  /** Ways that it was lent; whether they were held says `enforcement`. */
  readonly ways: number;
  readonly llc: Llc;
  readonly enforcement: Enforcement;
  readonly atMs: number;
}

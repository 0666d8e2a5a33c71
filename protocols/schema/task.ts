/** Tasks and what was measured of them. */
import Type from 'typebox';
import {
  amount,
  Command,
  CpuModel,
  FileName,
  InputSize,
  listOf,
  MAX_WAYS,
  moment,
  NodeId,
  name,
  nullable,
  oneOf,
  Sha256,
  sentence,
  TaskId,
  type Value,
  WayBytes,
  Ways,
  whole,
} from './fields.ts';
import { SealedSecrets } from './secret.ts';

export const Task = Type.Object(
  {
    id: TaskId,
    name: name(255, { description: 'Function name; the newest task with a name wins.' }),
    fileName: FileName,
    sha256: Sha256,
    size: whole({ description: 'Bytes.' }),
    command: nullable(Command),
    /** Sealed anew when the key changes; all else stays as it is. */
    secrets: SealedSecrets,
    createdAtMs: moment(),
  },
  { description: 'An uploaded file that can be run. It never changes.' },
);
export type Task = Value<typeof Task>;

/** The instruments, the best first: this is what `auto` takes. `wallclock` says nothing about cache. */
export const PROFILERS = ['resctrl', 'cachegrind', 'wallclock'] as const;
export const ProfilerName = oneOf(PROFILERS, { description: 'The instrument.' });
export type ProfilerName = Value<typeof ProfilerName>;

export const Measure = Type.Object(
  { profiler: ProfilerName, ways: Ways, wayBytes: WayBytes },
  { description: 'How a run of a benchmark is measured; the ways may be simulated.' },
);
export type Measure = Value<typeof Measure>;

const MAX_SAMPLES = 1024;

const ProfilePoint = Type.Object({
  ways: Ways,
  seconds: listOf(amount(), MAX_SAMPLES, { description: 'Raw samples.' }),
});
export type ProfilePoint = Value<typeof ProfilePoint>;

export const Profile = Type.Object(
  {
    taskId: TaskId,
    inputSize: InputSize,
    command: Command,
    profiler: ProfilerName,
    note: nullable(sentence({ description: 'Why not a better instrument.' })),
    ways: whole({
      minimum: 1,
      maximum: MAX_WAYS,
      description: 'Ways of the cache that was measured, real or simulated.',
    }),
    wayBytes: WayBytes,
    cpuModel: CpuModel,
    node: NodeId,
    points: listOf(ProfilePoint, MAX_WAYS),
    measuredAtMs: moment(),
  },
  { description: 'Measured times of a task at one input size over ways.' },
);
export type Profile = Value<typeof Profile>;

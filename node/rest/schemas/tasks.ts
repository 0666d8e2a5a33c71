/** Tasks and their profiles as JSON. */
import Type, { type Static } from 'typebox';
import { amount, MAX_NAME_BYTES, nullable, TaskId } from '../../../protocols/schema/fields.ts';
import { mean } from '../../../protocols/schema/statistics.ts';
import { Profile, Task as TaskNoun } from '../../../protocols/schema/task.ts';
import { DriftView } from '../../../protocols/schema/views.ts';
import type { TaskView } from '../backend.ts';
import { jsonOf, jsonProperties, toJson } from '../json.ts';
import { namesOf, SecretNames, SecretsField } from './secrets.ts';

export const TaskIdBody = Type.Object(
  { task_id: Type.String() },
  { description: 'The task is stored on a majority of the voters.', examples: [{ task_id: 'task123' }] },
);

export const UploadForm = Type.Object(
  {
    file: Type.String({ format: 'binary', description: 'The program. Its name may not contain a path.' }),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_NAME_BYTES,
        description: 'Function name for POST /submit; default: the file name without its extension.',
      }),
    ),
    command: Type.Optional(
      Type.String({
        description: "How POST /submit starts it; default: by the file's extension or #! line.",
      }),
    ),
    secrets: Type.Optional(SecretsField),
  },
  { description: 'The file, and optional fields before or after it.' },
);

const { secrets: _sealed, ...shownProperties } = TaskNoun.properties;
const { id, ...taskProperties } = jsonProperties(shownProperties);
const Task = Type.Object({ task_id: id, ...taskProperties, secrets: SecretNames });
export type TaskJson = Static<typeof Task>;

export const presentTask = ({ id: task_id, secrets, ...task }: TaskNoun): TaskJson => ({
  task_id,
  ...toJson(task),
  secrets: namesOf(secrets),
});

const { taskId: _, points, ...profileProperties } = Profile.properties;
const ProfileBody = Type.Object({
  ...jsonProperties(profileProperties),
  points: Type.Array(
    Type.Object({
      ...jsonProperties(points.items.properties),
      mean_seconds: nullable(amount()),
      spread_seconds: nullable(amount({ description: 'Standard deviation of the samples.' })),
    }),
  ),
});

const presentProfile = ({ taskId: _, points, ...profile }: Profile): Static<typeof ProfileBody> => ({
  ...toJson(profile),
  points: points.map((point) => ({
    ...toJson(point),
    mean_seconds: meanOrNull(point.seconds),
    spread_seconds: spread(point.seconds),
  })),
});

export const meanOrNull = (values: readonly number[]): number | null =>
  values.length === 0 ? null : mean(values);

/** Standard deviation of the sample; null below two. */
function spread(values: readonly number[]): number | null {
  const centre = meanOrNull(values);
  if (centre === null || values.length < 2) return null;
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

export const Drift = jsonOf(nullable(DriftView));

const taskExample = {
  task_id: 'task123',
  name: 'quick_sort',
  file_name: 'quick_sort.py',
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  size: 512,
  command: 'python3',
  created_at: '2025-01-31T12:00:00.000Z',
  secrets: ['DB_PASSWORD'],
};

export const TaskList = Type.Object(
  { tasks: Type.Array(Task) },
  { description: 'All tasks, newest first.', examples: [{ tasks: [taskExample] }] },
);

export const TaskDetail = Type.Object(
  { ...Task.properties, profiles: Type.Array(ProfileBody), drift: Drift },
  {
    description: 'The task and what was measured of it.',
    examples: [
      {
        ...taskExample,
        profiles: [
          {
            input_size: 1024,
            command: 'python3',
            profiler: 'wallclock',
            note: null,
            ways: 16,
            way_bytes: 1048576,
            cpu_model: 'Example CPU',
            node: '12D3KooWExample',
            measured_at: '2025-01-31T12:01:00.000Z',
            points: [{ ways: 16, seconds: [0.015, 0.015], mean_seconds: 0.015, spread_seconds: 0 }],
          },
        ],
        drift: null,
      },
    ],
  },
);

export type TaskDetailJson = Static<typeof TaskDetail>;

export const presentTaskDetail = ({ task, profiles, drift }: TaskView): TaskDetailJson => ({
  ...presentTask(task),
  profiles: profiles.map(presentProfile),
  drift: toJson(drift),
});

export const TaskParams = Type.Object({ task_id: TaskId });

/** The mean time with the most ways, for people. */
export function presentBestTime(profile: Profile): string {
  const best = profile.points.reduce<Profile['points'][number] | undefined>(
    (most, point) => (most === undefined || point.ways > most.ways ? point : most),
    undefined,
  );
  return renderSeconds(meanOrNull(best?.seconds ?? []) ?? 0);
}

/**
 * A duration for people: whole microseconds below a millisecond (`850us`), milliseconds below a second (one decimal
 * below ten: `1.5ms`, `15ms`), else seconds to the millisecond (`1.234s`). Trailing zeros are left out.
 */
function renderSeconds(seconds: number): string {
  const micros = Math.round(seconds * 1e6);
  if (micros < 1000) return `${micros}us`;
  const millis = micros < 9950 ? Math.round(micros / 100) / 10 : Math.round(micros / 1000);
  if (millis < 1000) return `${millis}ms`;
  return `${Math.round(seconds * 1000) / 1000}s`;
}

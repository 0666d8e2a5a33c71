/** Tasks and their profiles as JSON. */
import Type, { type Static } from 'typebox';
import { IdField, nullable, ProfilerField, Timestamp } from './fields.ts';

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
        maxLength: 255,
        description: 'Function name for POST /submit; default: the file name without its extension.',
      }),
    ),
    command: Type.Optional(
      Type.String({
        description: "How POST /submit starts it; default: by the file's extension or #! line.",
      }),
    ),
  },
  { description: 'The file, and optional fields before or after it.' },
);

const Task = Type.Object({
  task_id: Type.String(),
  name: Type.String({ description: 'Function name; the newest task with a name wins.' }),
  file_name: Type.String(),
  sha256: Type.String(),
  size: Type.Integer({ description: 'Bytes.' }),
  command: nullable(Type.String()),
  created_at: Timestamp,
});

const Profile = Type.Object({
  input_size: Type.Integer(),
  command: Type.String(),
  profiler: ProfilerField,
  note: nullable(Type.String({ description: 'Why not a better instrument.' })),
  ways: Type.Integer({ description: 'Ways of the cache that was measured, real or simulated.' }),
  way_bytes: Type.Integer(),
  cpu_model: Type.String(),
  node: Type.String(),
  measured_at: Timestamp,
  points: Type.Array(
    Type.Object({
      ways: Type.Integer(),
      seconds: Type.Array(Type.Number(), { description: 'Raw samples.' }),
      mean_seconds: nullable(Type.Number()),
      spread_seconds: nullable(Type.Number({ description: 'Standard deviation of the samples.' })),
    }),
  ),
});

export const Drift = Type.Object(
  {
    since: Timestamp,
    input_size: Type.Integer(),
    ways: Type.Integer(),
    before_seconds: Type.Number({ description: 'Typical time that was believed before.' }),
    after_seconds: Type.Number(),
    message: Type.String({ description: 'What has changed and what to do.' }),
  },
  { description: 'That it behaves otherwise than measured. Null: it does not.' },
);
export type DriftJson = Static<typeof Drift>;

const taskExample = {
  task_id: 'task123',
  name: 'quick_sort',
  file_name: 'quick_sort.py',
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  size: 512,
  command: 'python3',
  created_at: '2025-01-31T12:00:00.000Z',
};

export const TaskList = Type.Object(
  { tasks: Type.Array(Task) },
  { description: 'All tasks, newest first.', examples: [{ tasks: [taskExample] }] },
);

export const TaskDetail = Type.Object(
  { ...Task.properties, profiles: Type.Array(Profile), drift: nullable(Drift) },
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

export const TaskParams = Type.Object({ task_id: IdField('task') });

export type TaskJson = Static<typeof Task>;
export type TaskDetailJson = Static<typeof TaskDetail>;

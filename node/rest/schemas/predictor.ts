/** The predictor as JSON: generosity, versions of the model, explanations. */
import Type, { type Static } from 'typebox';
import { type ExplainedPicture, explainSvg } from '../../../predictor/explain-svg.ts';
import { FunctionName, InputSize, nullable, TaskId } from '../../../protocols/schema/fields.ts';
import { DroppedModel, LearnedFrom, ModelVersion } from '../../../protocols/schema/model.ts';
import { Mode } from '../../../protocols/schema/run.ts';
import { PROFILERS } from '../../../protocols/schema/task.ts';
import type { Explanation, PredictorView } from '../backend.ts';
import { jsonOf, jsonProperties, timestamp, toJson } from '../json.ts';
import { MaxSlowdownField, Timestamp } from './fields.ts';
import { Drift, meanOrNull } from './tasks.ts';

export const Generosity = Type.Object(
  { generosity: Type.Number({ description: 'How much cache a run is granted beyond what it needs.' }) },
  { description: 'The generosity at this moment.', examples: [{ generosity: -0.1 }] },
);

const { tasks, points } = jsonProperties(LearnedFrom.properties);
const Version = jsonOf(ModelVersion);
export type VersionJson = Static<typeof Version>;
const Dropped = jsonOf(DroppedModel);
export type DroppedJson = Static<typeof Dropped>;

const ModelNode = Type.Object({
  id: Type.String(),
  name: Type.String(),
  alive: Type.Boolean(),
  version: nullable(Type.Integer({ description: 'That it uses. Null: none, or it was not heard yet.' })),
});

export const Model = Type.Object(
  {
    model: Type.String(),
    version: Type.Integer({ description: 'That the master uses; 0: what the program ships with.' }),
    description: Type.String(),
    generosity: Type.Number(),
    sha256: nullable(Type.String({ description: 'Of the weights in use.' })),
    current: Type.Integer({ description: 'The version that every node should use.' }),
    versions: Type.Array(Version, { description: 'Those that can be selected besides 0, oldest first.' }),
    dropped: Type.Array(Dropped, { description: 'Candidates that were no better, oldest first.' }),
    nodes: Type.Array(ModelNode),
    training: Type.Object({
      running: nullable(Type.Object({ since: Timestamp, tasks, points })),
      last: nullable(Type.String({ description: 'What became of the last training under this master.' })),
    }),
  },
  {
    description: 'The predictor in use, its versions and who holds them.',
    examples: [
      {
        model: 'fsched',
        version: 1,
        description: 'A learned model of slowdown by bytes of cache.',
        generosity: -0.1,
        sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
        current: 1,
        versions: [
          {
            version: 1,
            sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
            size: 81_920,
            base: 0,
            before: { loss: 0.9, within: 0.94, ways_ratio: 1.2, questions: 400 },
            after: { loss: 0.7, within: 0.96, ways_ratio: 1.1, questions: 400 },
            extent: { functions: 34, curves: 210, points: 3400 },
            learned: { tasks: 4, points: 30 },
            seed: 42,
            backend: 'wasm',
            node: '12D3KooWExample',
            trained_at: '2025-01-31T12:00:00.000Z',
          },
        ],
        dropped: [],
        nodes: [{ id: '12D3KooWExample', name: 'alpha', alive: true, version: 1 }],
        training: { running: null, last: 'version 1 was accepted' },
      },
    ],
  },
);
export type ModelJson = Static<typeof Model>;

export const SelectBody = Type.Object(
  {
    version: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'A version that GET /predictor/model lists, or 0 for what the program ships with.',
      'x-expected': 'a version that GET /predictor/model lists, or 0',
    }),
  },
  { examples: [{ version: 1 }] },
);

export const Selected = Type.Object(
  { message: Type.String(), current: Type.Integer() },
  {
    description: 'Committed; the nodes fetch and load it.',
    examples: [{ message: 'version 1 is the current one', current: 1 }],
  },
);

export const TrainingBegun = Type.Object(
  { message: Type.String(), tasks, points },
  {
    description: 'It goes on in the background; see `training` of GET /predictor/model.',
    examples: [{ message: 'training on 30 points of 4 tasks has begun', tasks: 4, points: 30 }],
  },
);

export const ExplainQuery = Type.Object({
  task_id: Type.Optional(TaskId),
  function: Type.Optional({
    ...FunctionName,
    description: 'Name of a function, in place of task_id; its newest task.',
  }),
  input_size: InputSize,
  max_slowdown: Type.Optional(MaxSlowdownField),
  format: Type.Optional(
    Type.Enum(['json', 'svg'], { description: 'json when absent.', 'x-expected': 'json or svg' }),
  ),
});

const Measured = Type.Object({
  input_size: Type.Integer(),
  profiler: Type.Enum([...PROFILERS, 'run'], {
    description: 'The instrument; `run` for times of runs in held ways.',
  }),
  origin: Type.Enum(['benchmark', 'run']),
  way_bytes: Type.Integer(),
  weight: Type.Number({ description: 'How much it still counts, from 0 to 1.' }),
  points: Type.Array(
    Type.Object({ ways: Type.Number(), mean_seconds: Type.Number(), samples: Type.Integer() }),
  ),
});

const ExplanationBody = Type.Object({
  task_id: Type.String(),
  function: Type.String(),
  input_size: Type.Integer(),
  mode: jsonOf(Mode),
  ways: Type.Integer({ description: 'That a run would want now.' }),
  needed: nullable(Type.Integer({ description: 'Of them needed; the rest is generosity. Null: not known.' })),
  why: Type.String(),
  expected_slowdown: nullable(Type.Number()),
  at_most: nullable(Type.Number({ description: 'The slowdown is surely at most this.' })),
  max_slowdown: Type.Number(),
  generosity: Type.Number(),
  cache: Type.Object(
    { ways: Type.Integer(), way_bytes: Type.Integer() },
    { description: 'That the ways are of: the largest of the cluster.' },
  ),
  model: Type.Object({
    name: Type.String(),
    version: nullable(Type.Integer()),
  }),
  full_cache_seconds: nullable(Type.Number()),
  slowdown: Type.Array(Type.Number(), {
    description: 'Expected, for 1 way and more, relative to all of them. Empty in mode INOP.',
  }),
  quantiles: Type.Array(Type.Object({ level: Type.Number(), slowdown: Type.Array(Type.Number()) }), {
    description: 'So likely the slowdown is at most this. Empty where the method knows no uncertainty.',
  }),
  measured: Type.Array(Measured),
  drift: Drift,
});
export type ExplanationJson = Static<typeof ExplanationBody>;

const explanationExample: ExplanationJson = {
  task_id: 'task123',
  function: 'quick_sort',
  input_size: 1024,
  mode: 'BENCHMARKED',
  ways: 2,
  needed: 2,
  why: '2 of 4 ways are the fewest that surely stay within 5 % slowdown',
  expected_slowdown: 1.01,
  at_most: 1.04,
  max_slowdown: 1.05,
  generosity: -0.1,
  cache: { ways: 4, way_bytes: 1048576 },
  model: { name: 'fsched', version: 1 },
  full_cache_seconds: 0.015,
  slowdown: [1.4, 1.01, 1, 1],
  quantiles: [
    { level: 0.05, slowdown: [1.3, 1, 1, 1] },
    { level: 0.95, slowdown: [1.5, 1.04, 1.01, 1] },
  ],
  measured: [
    {
      input_size: 1024,
      profiler: 'cachegrind',
      origin: 'benchmark',
      way_bytes: 1048576,
      weight: 1,
      points: [
        { ways: 1, mean_seconds: 0.021, samples: 1 },
        { ways: 4, mean_seconds: 0.015, samples: 1 },
      ],
    },
  ],
  drift: null,
};

/** JSON, or a picture for who asks for it. */
export const ExplanationAnswer = {
  description: 'How many ways a run would want now, and why; with format=svg a picture of it.',
  content: {
    'application/json': { schema: ExplanationBody, example: explanationExample },
    'image/svg+xml': { schema: Type.String(), example: '<svg xmlns="http://www.w3.org/2000/svg"/>' },
  },
};

export const presentModel = (view: PredictorView): ModelJson => ({
  model: view.info.name,
  version: view.info.version ?? 0,
  description: view.info.description,
  generosity: view.generosity,
  sha256: view.info.sha256,
  current: view.current,
  versions: toJson(view.versions),
  dropped: toJson(view.dropped),
  nodes: view.nodes.map(({ member, alive, version }) => ({
    id: member.id,
    name: member.name,
    alive,
    version,
  })),
  training: {
    running: view.training.running && {
      since: timestamp(view.training.running.sinceMs),
      ...view.training.running.learned,
    },
    last: view.training.last,
  },
});

export const presentExplanation = (explained: Explanation): ExplanationJson => ({
  task_id: explained.task.id,
  function: explained.task.name,
  input_size: explained.inputSize,
  mode: explained.mode,
  ways: explained.ways,
  needed: explained.choice?.needed ?? null,
  why: explained.why,
  expected_slowdown: explained.choice?.expected ?? null,
  at_most: explained.choice?.atMost ?? null,
  max_slowdown: explained.maxSlowdown,
  generosity: explained.generosity,
  cache: { ways: explained.geometry.ways, way_bytes: explained.geometry.wayBytes },
  model: {
    name: explained.model.name,
    version: explained.model.version,
  },
  full_cache_seconds: explained.prediction.fullCacheSeconds,
  slowdown: [...explained.prediction.slowdown],
  quantiles: explained.prediction.quantiles.map(({ level, slowdown }) => ({
    level,
    slowdown: [...slowdown],
  })),
  measured: explained.curves.map(({ inputSize, profiler = 'wallclock', ...curve }) => ({
    input_size: inputSize,
    profiler: profiler as ExplanationJson['measured'][number]['profiler'],
    origin: curve.origin ?? 'benchmark',
    way_bytes: curve.wayBytes,
    weight: curve.weight ?? 1,
    points: curve.points.map(({ ways, seconds }) => ({
      ways,
      mean_seconds: meanOrNull(seconds) ?? 0,
      samples: seconds.length,
    })),
  })),
  drift: toJson(explained.drift),
});

export function drawExplanation(explained: Explanation): string {
  const { task, inputSize, geometry, prediction, choice, maxSlowdown, model, mode, ways, why } = explained;
  const version = model.version === null ? '' : ` v${model.version}`;
  const picture: ExplainedPicture = {
    title: `${task.name} at input size ${inputSize}`,
    subtitle: `${mode} by ${model.name}${version}: ${why}`,
    geometry,
    inputSize,
    curves: explained.curves,
    slowdown: prediction.slowdown,
    quantiles: prediction.quantiles,
    chosenWays: choice ? ways : null,
    maxSlowdown,
  };
  return explainSvg(picture);
}

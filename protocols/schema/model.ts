/** Versions of the predictor's model. */
import Type from 'typebox';
import { moment, NodeId, name, Sha256, type Value, whole } from './fields.ts';

/** Of the weights that the program ships with. */
export const SHIPPED_VERSION = 0;

const ModelScore = Type.Object(
  {
    loss: Type.Number({ description: 'Mean negative log likelihood; less is better. What decides.' }),
    within: Type.Number({ description: 'Share of choices that stay within 5 % of the whole cache.' }),
    waysRatio: Type.Number({ description: 'Ways chosen, relative to the fewest that would have done.' }),
    questions: whole({ description: 'Held-out questions that were asked.' }),
  },
  { description: 'How good it is on tasks that it was not trained on.' },
);
export type ModelScore = Value<typeof ModelScore>;

const TrainingExtent = Type.Object(
  { functions: whole(), curves: whole(), points: whole() },
  { description: 'All that it was trained on, what ships with the program included.' },
);
export type TrainingExtent = Value<typeof TrainingExtent>;

export const LearnedFrom = Type.Object(
  {
    tasks: whole({ description: 'Tasks of the cluster whose curves see the cache.' }),
    points: whole({ description: 'Different points of those curves.' }),
  },
  { description: 'What the cluster had measured by then.' },
);
/** Evidence of the cluster that sees the cache; when there is enough more, it is time for the next training. */
export type LearnedFrom = Value<typeof LearnedFrom>;

export const DroppedModel = Type.Object({
  base: whole({ description: 'The version that it was trained from.' }),
  /** Scores of `base` and of this, on the same held-out tasks. */
  before: ModelScore,
  after: ModelScore,
  extent: TrainingExtent,
  learned: LearnedFrom,
  seed: whole(),
  backend: name(64, { description: 'Of TensorFlow, that trained it.' }),
  node: NodeId,
  trainedAtMs: moment(),
});
/** Weights that were no better than those they came from. */
export type DroppedModel = Value<typeof DroppedModel>;

/** A version before it has its number. */
export const NewModel = Type.Object({
  sha256: Sha256,
  size: whole({ description: 'Bytes.' }),
  ...DroppedModel.properties,
});
export type NewModel = Value<typeof NewModel>;

export const ModelVersion = Type.Object({
  version: whole({ minimum: 1 }),
  ...NewModel.properties,
});
/** Weights that every node should use while it is the current one. */
export type ModelVersion = Value<typeof ModelVersion>;

/** Rows of the table of models. Plain data, as in `types.ts`. */
import type { ModelScore, TrainingExtent } from '../../predictor/types.ts';
import type { NodeId } from '../consensus/types.ts';

/** What a version of the model came from and how good it is. */
interface ModelOrigin {
  /** The version whose weights it was trained from. */
  readonly base: number;
  /** Scores of `base` and of this, on the same held-out tasks. */
  readonly before: ModelScore;
  readonly after: ModelScore;
  readonly extent: TrainingExtent;
  /** What the cluster knew when it was trained: when there is enough more, it is time for the next. */
  readonly learned: LearnedFrom;
  readonly seed: number;
  readonly backend: string;
  /** Where it was trained. */
  readonly node: NodeId;
  readonly trainedAtMs: number;
}

/** Evidence of the cluster that sees the cache. */
export interface LearnedFrom {
  readonly tasks: number;
  /** Different (task, input size, ways, instrument). */
  readonly points: number;
}

/** Weights that every node should use while it is the current one. */
export interface ModelVersion extends ModelOrigin {
  /** From 1: 0 is what the program ships with. */
  readonly version: number;
  /** Of the weights file. */
  readonly sha256: string;
  readonly size: number;
}

/** Weights that were no better than those they came from. */
export type DroppedModel = ModelOrigin;

/** The predictor as the JSON of REST, and as a picture. */
import { type ExplainedPicture, explainSvg } from '../../predictor/explain-svg.ts';
import type { ModelScore } from '../../predictor/types.ts';
import type { DroppedModel, ModelVersion } from '../state/types.ts';
import type { Explanation, PredictorView } from './backend.ts';
import { timestamp } from './duration.ts';
import { presentDrift } from './present.ts';
import type { DroppedJson, ExplanationJson, ModelJson, VersionJson } from './schemas/predictor.ts';

export const presentModel = (view: PredictorView): ModelJson => ({
  model: view.info.name,
  version: view.info.version ?? 0,
  description: view.info.description,
  generosity: view.generosity,
  sha256: view.info.sha256,
  backend: view.info.backend,
  current: view.current,
  versions: view.versions.map(presentVersion),
  dropped: view.dropped.map(presentOrigin),
  nodes: view.nodes.map(({ member, alive, version, backend }) => ({
    id: member.id,
    name: member.name,
    alive,
    version,
    backend,
  })),
  training: {
    running: view.training.running && {
      since: timestamp(view.training.running.sinceMs),
      ...view.training.running.learned,
    },
    last: view.training.last,
  },
});

const presentVersion = (model: ModelVersion): VersionJson => ({
  version: model.version,
  sha256: model.sha256,
  size: model.size,
  ...presentOrigin(model),
});

const presentOrigin = (model: DroppedModel): DroppedJson => ({
  base: model.base,
  before: presentScore(model.before),
  after: presentScore(model.after),
  extent: { ...model.extent },
  learned: { ...model.learned },
  seed: model.seed,
  backend: model.backend,
  node: model.node,
  trained_at: timestamp(model.trainedAtMs),
});

const presentScore = ({ loss, within, waysRatio, questions }: ModelScore) => ({
  loss,
  within,
  ways_ratio: waysRatio,
  questions,
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

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
    backend: explained.model.backend,
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
      mean_seconds: mean(seconds),
      samples: seconds.length,
    })),
  })),
  drift: presentDrift(explained.drift),
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

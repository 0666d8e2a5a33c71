/** Trains the networks: from nothing on the shipped curves, and further on what a cluster has measured. */
import { hash, randomFrom } from '../random.ts';
import { seesCache, type TrainingRequest, type TrainingResult, type TrainingTask } from '../types.ts';
import { type Example, type Family, makeExamples, toLesson } from './examples.ts';
import { FEATURE_COUNT, FEATURE_VERSION } from './features.ts';
import { scoreOf } from './judge.ts';
import { type FitOptions, fitNetwork, type Lesson, randomNetwork } from './network.ts';
import type { TensorBackend } from './tensor-backend.ts';
import { THRESHOLDS } from './thresholds.ts';
import { encodeWeights, type ModelWeights } from './weights-file.ts';

export interface TrainOptions {
  /** @default DEFAULTS */
  readonly questions?: number;
  readonly networks?: number;
  readonly fit?: Partial<FitOptions>;
  readonly seed: number;
  /** Called after each network; may wait, so that others get the thread. */
  readonly onNetwork?: (done: number, all: number) => void | Promise<void>;
}

export interface FurtherOptions {
  readonly shippedQuestions: number;
  readonly taskQuestions: number;
  readonly fit: FitOptions;
}

const HIDDEN = [48, 48];
const DEFAULTS = {
  questions: 12_000,
  networks: 4,
  fit: { steps: 2000, batchSize: 512, learningRate: 2e-3, weightDecay: 2e-4 },
};
/** A training that goes on: shorter and gentler, and mostly on what is known already, so that nothing is forgotten. */
const FURTHER: FurtherOptions = {
  shippedQuestions: 6000,
  taskQuestions: 3000,
  fit: { steps: 400, batchSize: 256, learningRate: 5e-4, weightDecay: 2e-4 },
};
const JUDGED_QUESTIONS = 400;
/** Of the tasks that are kept out of a training to judge it. */
const HELD_OUT_SHARE = 1 / 4;

/** From nothing. Same families, options and back end: same weights. */
export async function trainModel(
  families: readonly Family[],
  options: TrainOptions,
  { tf }: TensorBackend,
): Promise<ModelWeights> {
  const { seed, onNetwork } = options;
  const networks = options.networks ?? DEFAULTS.networks;
  const lesson = toLesson(makeExamples(families, options.questions ?? DEFAULTS.questions, seed));
  const { mean, deviation } = momentsOf(lesson);
  const scaled = scale(lesson, mean, deviation);
  const fit = { ...DEFAULTS.fit, ...options.fit };
  const ensemble = [];
  for (let i = 0; i < networks; i++) {
    const random = randomFrom(hash(seed, `network ${i}`));
    const start = randomNetwork([FEATURE_COUNT, ...HIDDEN, THRESHOLDS.length], random);
    ensemble.push(fitNetwork(start, scaled, fit, { tf, random }));
    await onNetwork?.(i + 1, networks);
  }
  return { featureVersion: FEATURE_VERSION, thresholds: THRESHOLDS, mean, deviation, ensemble };
}

/**
 * Goes on from `before` with what the tasks of a cluster have shown; judged on tasks that were kept out.
 * @throws with a sentence when there is too little to learn from
 */
export async function retrain(
  before: ModelWeights,
  { tasks, seed }: TrainingRequest,
  dependencies: { readonly backend: TensorBackend; readonly shipped: readonly Family[] },
  options: FurtherOptions = FURTHER,
): Promise<TrainingResult> {
  const { backend, shipped } = dependencies;
  const usable = tasks
    .map((task) => ({ task, families: familiesOf(task) }))
    .filter(({ task, families }) => makeExamples(families, 8, hash(seed, task.taskId)).length > 0)
    .sort((left, right) => hash(seed, left.task.taskId) - hash(seed, right.task.taskId));
  if (usable.length < 2) {
    throw new Error('there are fewer than two tasks whose curves are known: benchmark more functions first');
  }
  const held = usable.slice(0, Math.max(1, Math.floor(usable.length * HELD_OUT_SHARE)));
  const learnt = usable.slice(held.length);
  const families = learnt.flatMap((each) => each.families);
  const examples = [
    ...makeExamples(shipped, options.shippedQuestions, hash(seed, 'shipped')),
    ...makeExamples(families, options.taskQuestions, hash(seed, 'tasks')),
  ];
  const lesson = scale(toLesson(examples), before.mean, before.deviation);
  const ensemble = before.ensemble.map((network, i) => {
    const random = randomFrom(hash(seed, `network ${i}`));
    return fitNetwork(network, lesson, options.fit, { tf: backend.tf, random });
  });
  const after = { ...before, ensemble };
  const questions: readonly Example[] = held.flatMap((each) =>
    makeExamples(each.families, Math.ceil(JUDGED_QUESTIONS / held.length), hash(seed, 'judged')),
  );
  const curves = families.flatMap((family) => family.curves);
  return {
    weights: encodeWeights(after),
    before: scoreOf(before, questions),
    after: scoreOf(after, questions),
    extent: {
      functions: learnt.length + new Set(shipped.map(({ name }) => name)).size,
      curves: curves.length + shipped.reduce((sum, family) => sum + family.curves.length, 0),
      points: [...shipped, ...families].reduce((sum, family) => sum + countPoints(family), 0),
    },
    backend: backend.name,
  };
}

const countPoints = ({ curves }: Family): number =>
  curves.reduce((sum, { points }) => sum + points.length, 0);

/** Curves that can be compared: of one instrument and one size of ways. */
function familiesOf({ taskId, curves }: TrainingTask): Family[] {
  const groups = Map.groupBy(curves.filter(seesCache), ({ profiler, wayBytes }) => `${profiler} ${wayBytes}`);
  return [...groups.values()].flatMap((own) => {
    const wayBytes = own[0]?.wayBytes ?? 1;
    const ways = Math.max(...own.flatMap(({ points }) => points.map((point) => point.ways)));
    if (!Number.isInteger(ways) || ways < 2) return [];
    return [{ name: taskId, geometry: { ways, wayBytes }, curves: own }];
  });
}

function momentsOf({ inputs }: Lesson): { readonly mean: Float32Array; readonly deviation: Float32Array } {
  const { rows, columns, values } = inputs;
  const mean = new Float32Array(columns);
  const deviation = new Float32Array(columns);
  for (let column = 0; column < columns; column++) {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += values[row * columns + column] ?? 0;
    const centre = sum / rows;
    let squares = 0;
    for (let row = 0; row < rows; row++) squares += ((values[row * columns + column] ?? 0) - centre) ** 2;
    mean[column] = centre;
    // What never varies in training must not blow up when it does later.
    deviation[column] = Math.sqrt(squares / rows) + 1e-3;
  }
  return { mean, deviation };
}

function scale(lesson: Lesson, mean: Float32Array, deviation: Float32Array): Lesson {
  const { columns, values } = lesson.inputs;
  const scaled = values.map((value, i) => {
    const column = i % columns;
    return (value - (mean[column] ?? 0)) / (deviation[column] ?? 1);
  });
  return { ...lesson, inputs: { ...lesson.inputs, values: scaled } };
}

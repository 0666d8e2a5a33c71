/**
 * The network in TensorFlow.js: dense layers with max(0, x) between them, whose outputs are log odds. An input is one
 * number of ways of one question, an output one threshold of the slowdown.
 */
import type * as core from '@tensorflow/tfjs-core';
import { normalFrom } from '../random.ts';
import type { DenseLayer, Network } from './weights-file.ts';

type Tf = typeof core;

/** Rows of equal length, one after the other. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** He initialisation (He et al., 2015): keeps the variance of signals through layers with max(0, x). */
export function randomNetwork(sizes: readonly number[], random: () => number): Network {
  const normal = normalFrom(random);
  return sizes.slice(1).map((outputs, depth): DenseLayer => {
    const inputs = sizes[depth] ?? 0;
    const scale = Math.sqrt(2 / inputs);
    const weights = Float32Array.from({ length: inputs * outputs }, () => scale * normal());
    return { inputs, outputs, weights, bias: new Float32Array(outputs) };
  });
}

export interface FitOptions {
  readonly steps: number;
  readonly batchSize: number;
  /** The highest; it rises over the first tenth of the steps and falls to nothing over the rest. */
  readonly learningRate: number;
  /** Share of each weight that is taken off in a step at the highest rate. */
  readonly weightDecay: number;
}

/** What to learn: inputs that are scaled already, and for each row which thresholds its slowdown exceeds (0 or 1). */
export interface Lesson {
  readonly inputs: Matrix;
  readonly targets: Matrix;
}

/**
 * Trains a network by Adam on the cross entropy of all thresholds. The gradients are written out, since they are those
 * of a chain of dense layers: TensorFlow's core knows none by itself, and the package that brings them is many times as
 * large.
 */
export function fitNetwork(
  start: Network,
  lesson: Lesson,
  options: FitOptions,
  dependencies: { readonly tf: Tf; readonly random: () => number },
): Network {
  const { tf, random } = dependencies;
  const variables = start.map(({ inputs, outputs, weights, bias }) => ({
    weights: tf.variable(tf.tensor2d(weights, [inputs, outputs])),
    bias: tf.variable(tf.tensor1d(bias)),
  }));
  const optimizer = tf.train.adam(options.learningRate);
  for (let step = 0; step < options.steps; step++) {
    const batch = drawBatch(lesson, options.batchSize, random);
    const rate = options.learningRate * schedule(step / options.steps);
    (optimizer as unknown as { learningRate: number }).learningRate = rate;
    const decay = 1 - options.weightDecay * schedule(step / options.steps);
    tf.tidy(() => {
      const gradients = gradientsOf(variables, batch, tf);
      optimizer.applyGradients(gradients);
      for (const { weights } of variables) weights.assign(tf.mul(weights, decay));
    });
  }
  const trained = variables.map(({ weights, bias }, depth): DenseLayer => {
    const { inputs = 0, outputs = 0 } = start[depth] ?? {};
    return {
      inputs,
      outputs,
      weights: Float32Array.from(weights.dataSync()),
      bias: Float32Array.from(bias.dataSync()),
    };
  });
  for (const { weights, bias } of variables) tf.dispose([weights, bias]);
  optimizer.dispose();
  return trained;
}

interface NamedTensor {
  readonly name: string;
  readonly tensor: core.Tensor;
}

interface Variables {
  readonly weights: core.Variable<core.Rank.R2>;
  readonly bias: core.Variable<core.Rank.R1>;
}

function gradientsOf(layers: readonly Variables[], batch: Lesson, tf: Tf): NamedTensor[] {
  const { rows } = batch.inputs;
  const signals: core.Tensor2D[] = [tf.tensor2d(batch.inputs.values, [rows, batch.inputs.columns])];
  for (const [depth, { weights, bias }] of layers.entries()) {
    const sum: core.Tensor2D = tf.add(tf.matMul(signals[depth] as core.Tensor2D, weights), bias);
    signals.push(depth < layers.length - 1 ? tf.relu(sum) : tf.sigmoid(sum));
  }
  const targets = tf.tensor2d(batch.targets.values, [rows, batch.targets.columns]);
  // Of the cross entropy by the log odds: what was predicted less what is true.
  let slope: core.Tensor2D = tf.div(
    tf.sub(signals.at(-1) as core.Tensor2D, targets),
    rows * batch.targets.columns,
  );
  const gradients: NamedTensor[] = [];
  for (let depth = layers.length - 1; depth >= 0; depth--) {
    const { weights, bias } = layers[depth] as Variables;
    const signal = signals[depth] as core.Tensor2D;
    gradients.push({ name: weights.name, tensor: tf.matMul(signal, slope, true, false) });
    gradients.push({ name: bias.name, tensor: tf.sum(slope, 0) });
    // The slope of max(0, x) is 1 where the signal came through.
    if (depth > 0) slope = tf.mul(tf.matMul(slope, weights, false, true), tf.step(signal));
  }
  return gradients;
}

function drawBatch({ inputs, targets }: Lesson, size: number, random: () => number): Lesson {
  const x = new Float32Array(size * inputs.columns);
  const y = new Float32Array(size * targets.columns);
  for (let row = 0; row < size; row++) {
    const from = Math.floor(random() * inputs.rows);
    x.set(inputs.values.subarray(from * inputs.columns, (from + 1) * inputs.columns), row * inputs.columns);
    y.set(
      targets.values.subarray(from * targets.columns, (from + 1) * targets.columns),
      row * targets.columns,
    );
  }
  return {
    inputs: { rows: size, columns: inputs.columns, values: x },
    targets: { rows: size, columns: targets.columns, values: y },
  };
}

/** One cycle (Smith, 2018): up for a tenth, then down along a cosine. */
function schedule(progress: number): number {
  const WARM_UP = 0.1;
  if (progress < WARM_UP) return 0.05 + (0.95 * progress) / WARM_UP;
  return (1 + Math.cos((Math.PI * (progress - WARM_UP)) / (1 - WARM_UP))) / 2;
}

/** The network in TensorFlow.js, as training computes it: what the product's own loops are compared with. */
import type * as core from '@tensorflow/tfjs-core';
import type { Matrix } from '../../predictor/model/network.ts';
import type { ModelWeights } from '../../predictor/model/weights-file.ts';

type Tf = typeof core;

/** Weights that the back end holds; give them back with `dispose`. */
export class LoadedNetworks {
  readonly #tf: Tf;
  readonly #mean: core.Tensor;
  readonly #deviation: core.Tensor;
  readonly #ensemble: readonly (readonly {
    readonly weights: core.Tensor2D;
    readonly bias: core.Tensor1D;
  }[])[];

  constructor(weights: Pick<ModelWeights, 'mean' | 'deviation' | 'ensemble'>, tf: Tf) {
    this.#tf = tf;
    this.#mean = tf.tensor1d(weights.mean);
    this.#deviation = tf.tensor1d(weights.deviation);
    this.#ensemble = weights.ensemble.map((network) =>
      network.map((layer) => ({
        weights: tf.tensor2d(layer.weights, [layer.inputs, layer.outputs]),
        bias: tf.tensor1d(layer.bias),
      })),
    );
  }

  /** Probabilities by rows of the input: means over the ensemble. */
  probabilities({ rows, columns, values }: Matrix): Float32Array {
    const tf = this.#tf;
    const mean = tf.tidy(() => {
      const inputs = tf.div(tf.sub(tf.tensor2d(values, [rows, columns]), this.#mean), this.#deviation);
      const outputs = this.#ensemble.map((layers) => {
        let signal = inputs as core.Tensor2D;
        for (const [depth, { weights, bias }] of layers.entries()) {
          signal = tf.add(tf.matMul(signal, weights), bias);
          if (depth < layers.length - 1) signal = tf.relu(signal);
        }
        return tf.sigmoid(signal);
      });
      return tf.div(tf.addN(outputs), outputs.length);
    });
    const result = mean.dataSync() as Float32Array;
    mean.dispose();
    return result;
  }

  dispose(): void {
    const layers = this.#ensemble.flat().flatMap(({ weights, bias }) => [weights, bias]);
    for (const tensor of [this.#mean, this.#deviation, ...layers]) tensor.dispose();
  }
}

/** The network without TensorFlow: slower, but there at once, and within float tolerance the same. */
import type { Matrix } from './network.ts';
import type { DenseLayer, ModelWeights } from './weights-file.ts';

export class PlainNetworks {
  readonly #weights: Pick<ModelWeights, 'mean' | 'deviation' | 'ensemble'>;

  constructor(weights: Pick<ModelWeights, 'mean' | 'deviation' | 'ensemble'>) {
    this.#weights = weights;
  }

  /** Probabilities by rows of the input: means over the ensemble. */
  probabilities({ rows, columns, values }: Matrix): Float32Array {
    const { mean, deviation, ensemble } = this.#weights;
    const outputs = ensemble[0]?.at(-1)?.outputs ?? 0;
    const result = new Float32Array(rows * outputs);
    for (let row = 0; row < rows; row++) {
      const inputs = values
        .subarray(row * columns, (row + 1) * columns)
        .map((value, i) => (value - (mean[i] ?? 0)) / (deviation[i] ?? 1));
      for (const network of ensemble) {
        let signal: Float32Array = inputs;
        for (const [depth, layer] of network.entries()) {
          signal = through(layer, signal);
          if (depth < network.length - 1) signal = signal.map((value) => Math.max(0, value));
        }
        for (const [i, value] of signal.entries()) {
          const at = row * outputs + i;
          result[at] = (result[at] ?? 0) + 1 / (1 + Math.exp(-value)) / ensemble.length;
        }
      }
    }
    return result;
  }

  dispose(): void {}
}

function through({ outputs, weights, bias }: DenseLayer, signal: Float32Array): Float32Array {
  const sums = Float32Array.from(bias);
  for (const [input, value] of signal.entries()) {
    if (value === 0) continue;
    const row = input * outputs;
    for (let output = 0; output < outputs; output++) {
      sums[output] = (sums[output] ?? 0) + value * (weights[row + output] ?? 0);
    }
  }
  return sums;
}

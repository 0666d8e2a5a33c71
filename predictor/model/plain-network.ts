/**
 * The network as loops over typed arrays: as close to TensorFlow as floats are, and faster than any of its back ends
 * for the few rows of one question, since nothing is copied to another heap or thread.
 */
import type { Matrix } from './network.ts';
import type { DenseLayer, ModelWeights } from './weights-file.ts';

/** Outputs that are summed up side by side, in registers. */
const LANES = 4;

export class PlainNetworks {
  readonly #mean: Float32Array;
  readonly #deviation: Float32Array;
  readonly #ensemble: readonly (readonly DenseLayer[])[];
  readonly #outputs: number;
  readonly #widest: number;
  /** Signals of two layers in turn, kept from question to question: a prediction makes no garbage of them. */
  #signals: [Float32Array, Float32Array] = [new Float32Array(), new Float32Array()];
  #inputs = new Float32Array();

  constructor({ mean, deviation, ensemble }: Pick<ModelWeights, 'mean' | 'deviation' | 'ensemble'>) {
    this.#mean = mean;
    this.#deviation = deviation;
    this.#outputs = ensemble[0]?.at(-1)?.outputs ?? 0;
    this.#ensemble = ensemble.map((network) => network.map(laidOut));
    this.#widest = Math.max(...this.#ensemble.flat().map(({ outputs }) => outputs));
  }

  /** Probabilities by rows of the input: means over the ensemble. */
  probabilities({ rows, columns, values }: Matrix): Float32Array {
    this.#makeRoom(rows, columns);
    const inputs = this.#inputs;
    for (let i = 0; i < rows * columns; i++) {
      const column = i % columns;
      inputs[i] = ((values[i] ?? 0) - (this.#mean[column] ?? 0)) / (this.#deviation[column] ?? 1);
    }
    const result = new Float32Array(rows * this.#outputs);
    for (const network of this.#ensemble) this.#add(network, { rows, columns, values: inputs }, result);
    return result;
  }

  #add(network: readonly DenseLayer[], inputs: Matrix, result: Float32Array): void {
    let signal = inputs;
    for (const [depth, layer] of network.entries()) {
      const target = this.#signals[depth % 2] as Float32Array;
      apply(layer, signal, target, depth < network.length - 1);
      signal = { rows: inputs.rows, columns: layer.outputs, values: target };
    }
    const share = 1 / this.#ensemble.length;
    for (let i = 0; i < result.length; i++) {
      const row = Math.floor(i / this.#outputs);
      const odds = signal.values[row * signal.columns + (i % this.#outputs)] ?? 0;
      result[i] = (result[i] ?? 0) + share / (1 + Math.exp(-odds));
    }
  }

  #makeRoom(rows: number, columns: number): void {
    if (this.#inputs.length < rows * columns) this.#inputs = new Float32Array(rows * columns);
    const room = rows * this.#widest;
    if (this.#signals[0].length < room) this.#signals = [new Float32Array(room), new Float32Array(room)];
  }
}

/**
 * With the weights of one output side by side, and outputs that are always 0 up to a multiple of `LANES`; inputs grow
 * with the outputs of the layer before.
 */
function laidOut({ inputs, outputs, weights, bias }: DenseLayer, depth: number): DenseLayer {
  const width = depth === 0 ? inputs : padded(inputs);
  const turned = new Float32Array(padded(outputs) * width);
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      turned[output * width + input] = weights[input * outputs + output] ?? 0;
    }
  }
  const offsets = new Float32Array(padded(outputs));
  offsets.set(bias);
  return { inputs: width, outputs: offsets.length, weights: turned, bias: offsets };
}

const padded = (count: number): number => Math.ceil(count / LANES) * LANES;

/** One layer on all rows; four outputs at once is more than twice as fast as one (`npm run bench:model`). */
function apply(
  { inputs, outputs, weights, bias }: DenseLayer,
  { rows, values }: Matrix,
  target: Float32Array,
  rectify: boolean,
): void {
  const least = rectify ? 0 : Number.NEGATIVE_INFINITY;
  for (let row = 0; row < rows; row++) {
    const from = row * inputs;
    for (let output = 0; output < outputs; output += LANES) {
      let a = bias[output] ?? 0;
      let b = bias[output + 1] ?? 0;
      let c = bias[output + 2] ?? 0;
      let d = bias[output + 3] ?? 0;
      const at = output * inputs;
      for (let i = 0; i < inputs; i++) {
        const value = values[from + i] ?? 0;
        a += value * (weights[at + i] ?? 0);
        b += value * (weights[at + inputs + i] ?? 0);
        c += value * (weights[at + 2 * inputs + i] ?? 0);
        d += value * (weights[at + 3 * inputs + i] ?? 0);
      }
      const to = row * outputs + output;
      target[to] = Math.max(least, a);
      target[to + 1] = Math.max(least, b);
      target[to + 2] = Math.max(least, c);
      target[to + 3] = Math.max(least, d);
    }
  }
}

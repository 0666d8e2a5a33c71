/**
 * A trained model as one file: 8 bytes of magic, the length of the header, the header as JSON, all weights as 32-bit
 * floats, and the SHA-256 of what stands before. Everything is little-endian.
 */
import { createHash } from 'node:crypto';

const MAGIC = 'FSCHEDW1';
const LENGTH_BYTES = 4;
const DIGEST_BYTES = 32;
/** Ten times what ships: a prediction by the largest still holds the event loop for a few milliseconds only. */
export const MAX_WEIGHTS_BYTES = 1024 * 1024;
const MAX_NETWORKS = 16;
const MAX_LAYERS = 8;

/** One dense layer: `outputs = weights * inputs + bias`; `weights` by rows of inputs. */
export interface DenseLayer {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** Layers from input to output; all but the last are followed by max(0, x). */
export type Network = readonly DenseLayer[];

export interface ModelWeights {
  /** What the inputs mean; a program that computes others can't use the weights. */
  readonly featureVersion: number;
  /** Slowdowns whose exceeding the outputs are the log odds of; rising. */
  readonly thresholds: readonly number[];
  /** Of the inputs, taken off before the first layer. */
  readonly mean: Float32Array;
  /** Of the inputs, divided by before the first layer. */
  readonly deviation: Float32Array;
  /** Trained apart; their probabilities are averaged. */
  readonly ensemble: readonly Network[];
}

type Parsed =
  | { readonly ok: true; readonly value: ModelWeights }
  | { readonly ok: false; readonly error: string };

interface Header {
  readonly featureVersion: number;
  readonly thresholds: readonly number[];
  readonly inputs: number;
  /** Outputs of each layer, for each network. */
  readonly layers: readonly (readonly number[])[];
}

export function encodeWeights(model: ModelWeights): Uint8Array {
  const header: Header = {
    featureVersion: model.featureVersion,
    thresholds: model.thresholds,
    inputs: model.mean.length,
    layers: model.ensemble.map((network) => network.map(({ outputs }) => outputs)),
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const arrays = [model.mean, model.deviation].concat(
    model.ensemble.flatMap((network) => network.flatMap(({ weights, bias }) => [weights, bias])),
  );
  const floats = arrays.reduce((sum, array) => sum + array.length, 0);
  const start = MAGIC.length + LENGTH_BYTES + text.length;
  const bytes = new Uint8Array(start + 4 * floats + DIGEST_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(MAGIC.length, text.length, true);
  bytes.set(text, MAGIC.length + LENGTH_BYTES);
  let at = start;
  for (const array of arrays) {
    for (const value of array) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  bytes.set(digestOf(bytes.subarray(0, at)), at);
  return bytes;
}

/** Failure: a sentence. */
export function decodeWeights(bytes: Uint8Array): Parsed {
  const start = MAGIC.length + LENGTH_BYTES;
  if (bytes.length < start + DIGEST_BYTES || bytes.length > MAX_WEIGHTS_BYTES) return damaged('its size');
  const magic = new TextDecoder('latin1').decode(bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) {
    return {
      ok: false,
      error: `this is no weights file of this version of fsched (it begins with ${JSON.stringify(magic)})`,
    };
  }
  const end = bytes.length - DIGEST_BYTES;
  const digest = digestOf(bytes.subarray(0, end));
  if (digest.some((value, i) => value !== bytes[end + i])) return damaged('its checksum');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerEnd = start + view.getUint32(MAGIC.length, true);
  const header = headerEnd <= end ? parseHeader(bytes.subarray(start, headerEnd)) : null;
  if (header === null) return damaged('its header');
  const floats = (end - headerEnd) / 4;
  if (floats !== countFloats(header)) return damaged('its length');
  let at = headerEnd;
  let finite = true;
  const take = (count: number): Float32Array => {
    const array = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const value = view.getFloat32(at + 4 * i, true);
      finite &&= Number.isFinite(value);
      array[i] = value;
    }
    at += 4 * count;
    return array;
  };
  const mean = take(header.inputs);
  const deviation = take(header.inputs);
  const ensemble = header.layers.map((outputs) => {
    let inputs = header.inputs;
    return outputs.map((count): DenseLayer => {
      const layer = { inputs, outputs: count, weights: take(inputs * count), bias: take(count) };
      inputs = count;
      return layer;
    });
  });
  if (!finite || deviation.some((value) => value <= 0)) return damaged('its numbers');
  return {
    ok: true,
    value: {
      featureVersion: header.featureVersion,
      thresholds: header.thresholds,
      mean,
      deviation,
      ensemble,
    },
  };
}

function parseHeader(bytes: Uint8Array): Header | null {
  try {
    const header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Header;
    const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) > 0;
    const fits =
      isCount(header.featureVersion) &&
      isCount(header.inputs) &&
      header.thresholds.every((value, i) => value > (header.thresholds[i - 1] ?? 1)) &&
      header.layers.length > 0 &&
      header.layers.length <= MAX_NETWORKS &&
      header.layers.every(
        (outputs) =>
          outputs.length <= MAX_LAYERS &&
          outputs.every(isCount) &&
          outputs.at(-1) === header.thresholds.length,
      );
    return fits ? header : null;
  } catch {
    return null;
  }
}

function countFloats({ inputs, layers }: Header): number {
  let count = 2 * inputs;
  for (const outputs of layers) {
    let from = inputs;
    for (const to of outputs) {
      count += (from + 1) * to;
      from = to;
    }
  }
  return count;
}

const digestOf = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const damaged = (what: string): Parsed => ({
  ok: false,
  error: `the weights file is damaged (${what}); fetch or train it again`,
});

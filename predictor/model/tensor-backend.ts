/**
 * TensorFlow.js on the fastest back end that this machine has: `tfjs-node` where its native library could be installed,
 * else WebAssembly, else plain JavaScript. All three compute the same within float tolerance.
 */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import type * as core from '@tensorflow/tfjs-core';

export const BACKENDS = ['tfjs-node', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface TensorBackend {
  readonly name: BackendName;
  readonly tf: typeof core;
}

/** Kept in a variable: whether the package is there is known only at run time. */
const NATIVE_PACKAGE: string = '@tensorflow/tfjs-node';

/**
 * @param only tried alone, for comparisons
 * @throws when none of them can be had
 */
export async function openBackend(only?: BackendName): Promise<TensorBackend> {
  const failures: string[] = [];
  for (const name of only === undefined ? BACKENDS : [only]) {
    try {
      return { name, tf: await open(name) };
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`TensorFlow.js has no back end here (${failures.join('; ')})`);
}

async function open(name: BackendName): Promise<typeof core> {
  if (name === 'tfjs-node') {
    // CommonJS, so that it and what it brings share one core.
    const tf: typeof core = createRequire(import.meta.url)(NATIVE_PACKAGE);
    await use(tf, 'tensorflow');
    return tf;
  }
  const tf = await import('@tensorflow/tfjs-core');
  tf.env().set('IS_TEST', true); // or the core advertises tfjs-node on standard error at each start
  if (name === 'wasm') {
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(dirname(main) + sep);
    // One thread: sums in one order, so that a seed gives the same weights; and the other CPUs are for functions.
    wasm.setThreadsCount(1);
  } else {
    await import('@tensorflow/tfjs-backend-cpu');
  }
  await use(tf, name);
  return tf;
}

async function use(tf: typeof core, backend: string): Promise<void> {
  if (!(await tf.setBackend(backend))) throw new Error(`the back end ${backend} does not start`);
  await tf.ready();
}

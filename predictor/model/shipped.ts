/**
 * What the program ships with: trained weights, and the curves that they were trained on, which later trainings go on
 * from.
 */
import { readFile } from 'node:fs/promises';
import { parseCurves } from '../dataset/csv.ts';
import type { CurveSet } from '../dataset/types.ts';
import type { Family } from './examples.ts';

/** Run from source the files lie in `predictor/data`; a bundle has them beside it. */
const FOLDER = new URL(import.meta.url.endsWith('.ts') ? '../data/' : './data/', import.meta.url);
export const WEIGHTS_FILE = new URL('model.weights', FOLDER);
const CURVES = ['curves'];

export async function shippedWeights(): Promise<Uint8Array> {
  return readFile(WEIGHTS_FILE);
}

/** @throws when the files are missing or damaged */
export async function shippedFamilies(): Promise<Family[]> {
  const sets = await Promise.all(CURVES.map(readCurves));
  return sets.flatMap(toFamilies);
}

async function readCurves(name: string): Promise<CurveSet> {
  const [table, sidecar] = await Promise.all(
    [`${name}.csv`, `${name}.json`].map((file) => readFile(new URL(file, FOLDER), 'utf8')),
  );
  const parsed = parseCurves(table ?? '', sidecar ?? null);
  if (!parsed.ok) throw new Error(`the shipped curves are damaged: ${parsed.error}`);
  return parsed.value;
}

export function toFamilies({ geometry, curves }: CurveSet): Family[] {
  return [...Map.groupBy(curves, ({ name }) => name)].map(([name, own]) => ({
    name,
    geometry,
    curves: own.map(({ inputSize, points }) => ({
      inputSize,
      wayBytes: geometry.wayBytes,
      profiler: 'cachegrind',
      points: points.map(({ ways, seconds }) => ({ ways, seconds: [seconds] })),
    })),
  }));
}

/** Curves from a file. */
import { readFile } from 'node:fs/promises';
import { parseCurves } from '../dataset/csv.ts';
import type { CurveSet } from '../dataset/types.ts';

/** @throws Error with a sentence that names the file, and the line where it is known */
export async function loadCurves(path: string): Promise<CurveSet> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} can't be read: ${error.code ?? error.message}`, { cause: error });
  });
  const sidecar = await readFile(sidecarOf(path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new Error(`${sidecarOf(path)} can't be read: ${error.code ?? error.message}`, { cause: error });
  });
  const parsed = parseCurves(text, sidecar);
  if (!parsed.ok) throw new Error(`${path}: ${parsed.error}`);
  return parsed.value;
}

const sidecarOf = (path: string): string => `${path.replace(/\.csv$/i, '')}.json`;

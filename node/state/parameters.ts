/**
 * Parameters of runs that are over: their size and hash stay, so that a repeated request can be told from another.
 * Pure.
 */
import { createHash } from 'node:crypto';
import type { Run, RunSpec } from '../../protocols/schema/run.ts';

export function dropParameters(run: Run): Run {
  const { parameters } = run.spec;
  if (parameters === null) return run;
  const droppedParameters = { bytes: Buffer.byteLength(parameters), sha256: sha256Of(parameters) };
  return { ...run, spec: { ...run.spec, parameters: null, droppedParameters } };
}

export function hasParameters(spec: RunSpec, parameters: string | null): boolean {
  const { droppedParameters: dropped } = spec;
  if (dropped === null) return spec.parameters === parameters;
  return (
    parameters !== null &&
    Buffer.byteLength(parameters) === dropped.bytes &&
    sha256Of(parameters) === dropped.sha256
  );
}

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

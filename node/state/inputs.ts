/**
 * Parameters and secrets of runs that are over: their sizes and a hash stay, so that a repeated request can be told from
 * another. Of secrets there is no hash: who guesses a short one could prove it by it. Pure.
 */
import { createHash } from 'node:crypto';
import type { Run, RunSpec } from '../../protocols/schema/run.ts';
import type { Secret } from '../../protocols/schema/secret.ts';

export function dropInputs(run: Run): Run {
  const { parameters, secrets } = run.spec;
  if (parameters === null && secrets.length === 0) return run;
  const droppedSecrets = secrets.map((secret) => ({ ...secret, sealed: null }));
  const droppedParameters =
    parameters === null
      ? run.spec.droppedParameters
      : { bytes: Buffer.byteLength(parameters), sha256: sha256Of(parameters) };
  return { ...run, spec: { ...run.spec, parameters: null, droppedParameters, secrets: droppedSecrets } };
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

/** By names and sizes, both in the order of their names: the same secret is never sealed to the same bytes twice. */
export function hasSecrets(spec: RunSpec, secrets: readonly Secret[]): boolean {
  return (
    spec.secrets.length === secrets.length &&
    spec.secrets.every(
      ({ name, size }, at) => name === secrets[at]?.name && size === secrets[at].value.length,
    )
  );
}

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');

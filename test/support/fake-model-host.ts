/** A model whose weights are text, which does what the test says. */

import type { ModelHost } from '../../predictor/model-host.ts';
import type { PredictorInfo, TrainingRequest, TrainingResult } from '../../predictor/types.ts';
import type { ModelScore } from '../../protocols/schema/model.ts';
import type { Outcome } from '../../protocols/schema/outcome.ts';
import { CurveFitHost } from './curve-fit-host.ts';

export const score = (loss: number): ModelScore => ({ loss, within: 0.9, waysRatio: 1.1, questions: 50 });

export const trained = (text: string, over: Partial<TrainingResult> = {}): TrainingResult => ({
  weights: new TextEncoder().encode(text),
  before: score(1),
  after: score(0.5),
  extent: { functions: 34, curves: 210, points: 3_400 },
  backend: 'fake',
  ...over,
});

export class FakeModelHost extends CurveFitHost implements ModelHost {
  version = 0;
  readonly loaded: string[] = [];
  readonly requests: TrainingRequest[] = [];
  refusal: string | null = null;
  onTrain: (request: TrainingRequest, signal: AbortSignal) => Promise<Outcome<TrainingResult, string>> =
    async () => ({ ok: true, value: trained('better') });

  override info(): PredictorInfo {
    return {
      name: 'fake',
      version: this.version,
      sha256: null,
      description: 'A fake.',
    };
  }

  override load(version?: number, weights?: Uint8Array): Outcome<PredictorInfo, string> {
    if (this.refusal !== null) return { ok: false, error: this.refusal };
    this.loaded.push(`${version} ${new TextDecoder().decode(weights)}`);
    this.version = version ?? 0;
    return { ok: true, value: this.info() };
  }

  override loadShipped(): PredictorInfo {
    this.loaded.push('shipped');
    this.version = 0;
    return this.info();
  }

  override async train(
    request: TrainingRequest = { tasks: [], seed: 0 },
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Outcome<TrainingResult, string>> {
    this.requests.push(request);
    return this.onTrain(request, signal);
  }
}

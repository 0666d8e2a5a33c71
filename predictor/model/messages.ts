/** What goes between the daemon and the threads of the model. */
import type { CacheGeometry, MeasuredCurve, Prediction, TrainingRequest, TrainingResult } from '../types.ts';
import type { BackendName } from './tensor-backend.ts';

export type ModelCall =
  /** Null: the weights that the program ships with. */
  | { readonly type: 'load'; readonly weights: Uint8Array | null }
  | {
      readonly type: 'predict';
      readonly known: readonly MeasuredCurve[];
      readonly inputSize: number;
      readonly geometry: CacheGeometry;
    }
  | { readonly type: 'train'; readonly weights: Uint8Array | null; readonly request: TrainingRequest };

export interface ModelLoaded {
  readonly sha256: string;
  readonly backend: BackendName;
}

export type ModelValue = ModelLoaded | Prediction | TrainingResult;

export type ModelRequest = ModelCall & { readonly id: number };
export type ModelReply =
  | { readonly id: number; readonly ok: true; readonly value: ModelValue }
  | { readonly id: number; readonly ok: false; readonly message: string };

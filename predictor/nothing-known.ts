import type { Prediction } from './types.ts';

/** What is predicted of a task without evidence. */
export const NOTHING_KNOWN: Prediction = {
  mode: 'INOP',
  slowdown: [],
  quantiles: [],
  tail: null,
  fullCacheSeconds: null,
};

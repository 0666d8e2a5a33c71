/** All that is judged, in the order of the table; the oracle comes last by itself. */
import { alwaysFull } from './baselines/always-full.ts';
import { bisection } from './baselines/bisection.ts';
import { CurveFitPredictor } from './baselines/curve-fit.ts';
import { equalShare } from './baselines/equal-share.ts';
import { interpolation } from './baselines/interpolation.ts';
import { nearestNeighbour } from './baselines/nearest-neighbour.ts';
import { originalFit } from './baselines/original-fit.ts';
import { fromPredictor } from './baselines/predictor.ts';
import { scaledKnee } from './baselines/scaled-knee.ts';
import { LEARNED } from './learned.ts';
import type { Method } from './method.ts';

export const METHODS: readonly Method[] = [
  LEARNED,
  fromPredictor(new CurveFitPredictor()),
  originalFit('original fit', 'seconds'),
  originalFit('original rel.', 'relative'),
  nearestNeighbour,
  interpolation,
  bisection,
  scaledKnee,
  alwaysFull,
  equalShare,
];

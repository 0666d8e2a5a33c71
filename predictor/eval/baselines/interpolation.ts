import { chooseWays } from '../../choose-ways.ts';
import { allOf, interpolated, nearestFirst } from '../evidence.ts';
import { untrained } from '../method.ts';
import { ADAPTIVE } from '../sampling.ts';

/** Straight lines between measured points; at an input size that is unknown the curve of the nearest, unchanged. */
export const interpolation = untrained('interpolation', ADAPTIVE, ({ known, inputSize, geometry }) => {
  const [nearest] = nearestFirst(known, inputSize, geometry);
  if (nearest === undefined) return allOf(geometry);
  const slowdown = interpolated(nearest, geometry);
  return { slowdown, quantiles: [], ways: chooseWays({ slowdown, quantiles: [] }).ways };
});

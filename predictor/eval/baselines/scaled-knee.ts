import { chooseWays } from '../../choose-ways.ts';
import { allOf, clamped, interpolated, nearestFirst } from '../evidence.ts';
import { untrained } from '../method.ts';
import { ADAPTIVE } from '../sampling.ts';

/**
 * The knee of the nearest benchmarked size, times the ratio of the sizes: as if every working set grew as its input
 * does.
 */
export const scaledKnee = untrained('scaled knee', ADAPTIVE, ({ known, inputSize, geometry }) => {
  const [nearest] = nearestFirst(known, inputSize, geometry);
  if (nearest === undefined) return allOf(geometry);
  const knee = chooseWays({ slowdown: interpolated(nearest, geometry), quantiles: [] }).ways;
  return { ...allOf(geometry), ways: clamped(Math.ceil((knee * inputSize) / nearest.inputSize), geometry) };
});

import { allOf, byDifference, measuredKnee, nearestFirst } from '../evidence.ts';
import { untrained } from '../method.ts';
import { ADAPTIVE } from '../sampling.ts';

/**
 * CASY (CCGrid 2022): one model a function, which gives the label of the benchmarked input size that is nearest. The
 * label is the fewest ways measured within 5 % of the full cache.
 */
export const nearestNeighbour = untrained('CASY 1-NN', ADAPTIVE, ({ known, inputSize, geometry }) => {
  const [nearest] = nearestFirst(known, inputSize, geometry, byDifference);
  if (nearest === undefined) return allOf(geometry);
  return { ...allOf(geometry), ways: measuredKnee(nearest, geometry) };
});

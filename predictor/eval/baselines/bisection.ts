import { allOf, measuredKnee, nearestFirst } from '../evidence.ts';
import { untrained } from '../method.ts';
import { BISECTION } from '../sampling.ts';

/** The benchmark looks for the knee only; at an input size that is unknown it is that of the nearest. */
export const bisection = untrained('bisection', BISECTION, ({ known, inputSize, geometry }) => {
  const [nearest] = nearestFirst(known, inputSize, geometry);
  if (nearest === undefined) return allOf(geometry);
  return { ...allOf(geometry), ways: measuredKnee(nearest, geometry) };
});

import { allOf } from '../evidence.ts';
import { untrained } from '../method.ts';
import { NONE } from '../sampling.ts';

/** Functions that run on one cache at a time: a node of the cluster has about four ways a CPU that runs something. */
const TENANTS = 4;

/** The cache cut into equal parts, whatever runs. */
export const equalShare = untrained('equal share', NONE, ({ geometry }) => ({
  ...allOf(geometry),
  ways: Math.max(1, Math.floor(geometry.ways / TENANTS)),
}));

import { allOf } from '../evidence.ts';
import { untrained } from '../method.ts';
import { NONE } from '../sampling.ts';

/** No partitions: each function has the whole cache. */
export const alwaysFull = untrained('always full', NONE, ({ geometry }) => allOf(geometry));

/** What the master knows of each profiler without having one. Pure. */
import type { ProfilerName } from '../../protocols/schema/task.ts';
import type { LlcGeometry } from './geometry.ts';

interface Traits {
  readonly deterministic: boolean;
  /** Whether the ways are simulated: then one real way is enough, and nobody is disturbed. */
  readonly simulates: boolean;
  /** Whether others on its LLC domain would falsify it: then nobody is beside it, whatever ways it is given. */
  readonly needsQuiet: boolean;
  /** A measured run may take so many times its time limit: cachegrind is 30 to 100 times slower than the program. */
  readonly timeFactor: number;
  /** Executions that one curve may take. */
  readonly maxExecutions: number;
}

const WALLCLOCK: Traits = {
  deterministic: false,
  simulates: false,
  needsQuiet: false,
  timeFactor: 1,
  maxExecutions: 16,
};

const SEES_CACHE: Traits = { ...WALLCLOCK, maxExecutions: 48 };

export const TRAITS: Readonly<Record<ProfilerName, Traits>> = {
  resctrl: { ...SEES_CACHE, needsQuiet: true },
  cachegrind: { ...SEES_CACHE, deterministic: true, simulates: true, timeFactor: 100 },
  wallclock: WALLCLOCK,
};

const LINE_BYTES = 64;

/**
 * The cache that a profiler measures in place of `domain`'s. Cachegrind's number of sets is a power of two, so a way
 * of another size becomes the power of two below it, and there are more of them: 16 ways of 1.25 MiB are measured as
 * 20 of 1 MiB. The size of the whole is kept to half a way.
 */
export function measuredGeometry(profiler: ProfilerName, domain: LlcGeometry): LlcGeometry {
  if (profiler !== 'cachegrind') return { ways: domain.ways, wayBytes: domain.wayBytes };
  const sets = 2 ** Math.floor(Math.log2(Math.max(1, domain.wayBytes / LINE_BYTES)));
  const wayBytes = sets * LINE_BYTES;
  return { ways: Math.max(1, Math.round((domain.ways * domain.wayBytes) / wayBytes)), wayBytes };
}

/** The file next to a table of curves: on what cache, and by what, they were measured. Pure. */
import { FORMULA, L1_CACHE } from '../cachegrind.ts';
import type { CacheGeometry } from '../types.ts';
import type { CurveSet } from './types.ts';

/** The cache of a table without a sidecar. */
export const DEFAULT_GEOMETRY: CacheGeometry = { ways: 16, wayBytes: 128 * 1024 };

/** What has to be the same for the same numbers. */
export interface Tools {
  readonly valgrind: string;
  readonly gcc: string;
  readonly python: string;
  readonly libc: string;
  /** The CPU that valgrind shows to programs, by its vector instructions: glibc chooses its functions by them. */
  readonly cpu: string;
}

export interface SidecarFacts {
  readonly tools: Tools;
  /** How the programs are made and run. */
  readonly recipe: Readonly<Record<string, unknown>>;
  /** SHA-256 of everything a curve depends on, by function. */
  readonly sources: Readonly<Record<string, string>>;
}

/** No date and no host in it: the same programs and tools give the same bytes. */
export function formatSidecar(
  { geometry, curves }: CurveSet,
  { tools, recipe, sources }: SidecarFacts,
): string {
  const sidecar = {
    geometry,
    lineBytes: 64,
    l1: { instructions: L1_CACHE, data: L1_CACHE },
    formula: FORMULA,
    tools,
    recipe,
    functions: new Set(curves.map(({ name }) => name)).size,
    curves: curves.length,
    points: curves.reduce((sum, { points }) => sum + points.length, 0),
    sources,
  };
  return `${JSON.stringify(sidecar, null, 2)}\n`;
}

type GeometryOutcome =
  | { readonly ok: true; readonly value: CacheGeometry }
  | { readonly ok: false; readonly error: string };

/** Of all that a sidecar tells, reading curves needs the cache only. */
export function parseGeometry(sidecar: string | null): GeometryOutcome {
  if (sidecar === null) return { ok: true, value: DEFAULT_GEOMETRY };
  let parsed: unknown;
  try {
    parsed = JSON.parse(sidecar);
  } catch (error) {
    return { ok: false, error: `the sidecar is no JSON: ${error instanceof Error ? error.message : error}` };
  }
  const geometry = fieldOf(parsed, 'geometry');
  const ways = fieldOf(geometry, 'ways');
  const wayBytes = fieldOf(geometry, 'wayBytes');
  if (!isCount(ways) || !isCount(wayBytes)) {
    const wanted = `"geometry": {"ways": 16, "wayBytes": 131072}, whole numbers above zero`;
    return { ok: false, error: `the sidecar does not tell the cache: it needs ${wanted}` };
  }
  return { ok: true, value: { ways, wayBytes } };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** Which curves a method learns from before it is asked about which. Pure. */
import type { CurveSet, FunctionCurve } from '../dataset/types.ts';
import { hash } from '../random.ts';

/** `sizes`: of the functions asked about, only the size asked is new. */
export type LeftOut = 'functions' | 'sizes';

export interface Split {
  readonly train: CurveSet;
  readonly asked: ReadonlySet<FunctionCurve>;
}

/**
 * Each curve is asked about in one split, and neither it nor, for `functions`, any other of its function is learned
 * from there.
 * @param folds of even extent, dealt by a hash of the name; `all`: one a function, or a curve
 */
export function splitsOf(set: CurveSet, leftOut: LeftOut, folds: number | 'all', seed: number): Split[] {
  const keyOf = ({ name, inputSize }: FunctionCurve): string =>
    leftOut === 'functions' ? name : `${name},${inputSize}`;
  const groups = [...Map.groupBy(set.curves, keyOf)]
    .map(([key, curves]) => ({ key, curves, order: hash(seed, key) }))
    .sort((left, right) => left.order - right.order || (left.key < right.key ? -1 : 1));
  const count = folds === 'all' ? groups.length : Math.min(folds, groups.length);
  return Array.from({ length: count }, (_, fold) => {
    const asked = new Set(
      groups.filter((_, index) => index % count === fold).flatMap(({ curves }) => curves),
    );
    return { asked, train: { ...set, curves: set.curves.filter((curve) => !asked.has(curve)) } };
  });
}

export const functionsOf = ({ curves }: CurveSet): Set<string> => new Set(curves.map(({ name }) => name));

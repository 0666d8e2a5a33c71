/**
 * The order in which masks are rewritten, such that no two holders overlap at any instant. A cycle is broken through
 * free ways, or by a holder being narrower until its turn comes.
 */
import { unite, without } from '../masks.ts';
import { overlap, placesIn, type Span, sameSpan, spanMask } from './spans.ts';

/** Null stands for the pool. */
export type Holder = string | null;
export type Positions = ReadonlyMap<Holder, Span>;

export interface Move {
  readonly holder: Holder;
  readonly from: Span;
  readonly to: Span;
}

/**
 * @param from where the holders stand
 * @param to where they shall stand; a holder that is missing leaves afterwards, and only makes room until then
 * @param room ways that they may use on the way
 * @returns null when there is no such order
 */
export function orderMoves(from: Positions, to: Positions, room: number, minBits: number): Move[] | null {
  const now = new Map(from);
  const moves: Move[] = [];
  const pending = () => [...now.keys()].filter((holder) => to.has(holder) && !at(holder));
  for (let rest = pending(); rest.length > 0; rest = pending()) {
    const ready = rest.find((holder) => blockers(holder).length === 0);
    if (ready !== undefined) go(ready, target(ready));
    else if (!rest.some((holder) => detour(holder))) return null;
  }
  return moves;

  function at(holder: Holder): boolean {
    return sameSpan(now.get(holder) ?? null, target(holder));
  }

  function target(holder: Holder): Span {
    const span = to.get(holder);
    if (span === undefined) throw new RangeError(`${holder} goes nowhere`);
    return span;
  }

  function blockers(holder: Holder): Holder[] {
    const span = target(holder);
    return [...now]
      .filter(([other, place]) => other !== holder && overlap(place, span))
      .map(([other]) => other);
  }

  function go(holder: Holder, span: Span): void {
    const here = now.get(holder);
    if (here === undefined) return;
    moves.push({ holder, from: here, to: span });
    now.set(holder, span);
  }

  /** Clears the target of `holder`; first with `holder` as it is, then with it as narrow as can be. */
  function detour(holder: Holder): boolean {
    const here = now.get(holder);
    if (here === undefined) return false;
    const narrow = placesIn(spanMask(here), Math.min(minBits, here.count));
    for (const stance of [here, ...narrow]) {
      const saved = { length: moves.length, now: new Map(now) };
      if (!sameSpan(stance, here)) go(holder, stance);
      if (blockers(holder).every((blocker) => evade(blocker, target(holder)))) {
        go(holder, target(holder));
        return true;
      }
      moves.length = saved.length;
      for (const [other, span] of saved.now) now.set(other, span);
    }
    return false;
  }

  /** Out of the way of `claim`, keeping as many ways as possible and rather where it is. */
  function evade(holder: Holder, claim: Span): boolean {
    const here = now.get(holder);
    if (here === undefined) return false;
    const others = [...now].filter(([other]) => other !== holder);
    const held = others.reduce((mask, [, span]) => unite(mask, spanMask(span)), spanMask(claim));
    for (let count = here.count; count >= Math.min(minBits, here.count); count--) {
      const places = placesIn(without(room, held), count);
      const place = places.find((span) => overlap(span, here)) ?? places[0];
      if (place !== undefined) {
        go(holder, place);
        return true;
      }
    }
    return false;
  }
}

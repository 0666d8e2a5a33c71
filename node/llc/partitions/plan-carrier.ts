/** Writes the masks that a plan of the allocator asks for, one after the other; takes all back when one is refused. */
import { type Span, spanMask } from '../allocation/spans.ts';
import type { Step, WayState } from '../allocation/types.ts';
import type { ResctrlFs } from '../resctrl/port.ts';
import type { ResctrlTopology } from '../resctrl/resctrl-topology.ts';
import { type Masks, removeGroup, schemataOf } from './survey.ts';

export type Carried =
  | { readonly ok: true }
  /** `broken`: holders whose mask could not be put back either. */
  | { readonly ok: false; readonly cause: unknown; readonly broken: readonly (string | null)[] };

export class PlanCarrier {
  readonly #fs: ResctrlFs;
  readonly #caches: ResctrlTopology['caches'];
  readonly #pool: string;

  constructor(fs: ResctrlFs, caches: ResctrlTopology['caches'], pool: string) {
    this.#fs = fs;
    this.#caches = caches;
    this.#pool = pool;
  }

  /** @param before the state that the steps start from; its reserves are where groups go in domains that they hold nothing of */
  async carry(before: WayState, steps: readonly Step[]): Promise<Carried> {
    const pools = new Map(before.domains.map(({ id, pool }) => [id, pool]));
    const done: Step[] = [];
    try {
      for (const step of steps) {
        await this.#rewrite(before, pools, step.holder, step.domain, step.to);
        done.push(step);
      }
      return { ok: true };
    } catch (cause) {
      const broken: (string | null)[] = [];
      for (const { holder, domain, from } of done.reverse()) {
        // What was just made is removed by who made it.
        if (from === null && holder !== null) continue;
        await this.#rewrite(before, pools, holder, domain, from).catch(() => broken.push(holder));
      }
      return { ok: false, cause, broken };
    }
  }

  /** What the group of a holder may fill in all domains. */
  masksOf(state: WayState, holder: string | null): Masks {
    const spans = state.domains.map(({ id, reserve, pool, partitions }): [number, Span] => {
      const own = holder === null ? pool : partitions.find((each) => each.id === holder)?.span;
      return [id, own ?? reserve];
    });
    return new Map(spans.map(([id, span]) => [id, spanMask(span)]));
  }

  async #rewrite(
    { domains }: WayState,
    pools: Map<number, Span | null>,
    holder: string | null,
    domain: number,
    to: Span | null,
  ): Promise<void> {
    if (holder !== null && to === null) {
      await removeGroup(this.#fs, holder);
      return;
    }
    if (holder === null) pools.set(domain, to);
    const masks = domains.map(({ id, reserve }): [number, number] => {
      const own = holder === null ? pools.get(id) : id === domain ? to : null;
      return [id, spanMask(own ?? reserve)];
    });
    await this.#fs.write(`${holder ?? this.#pool}/schemata`, schemataOf(this.#caches, new Map(masks)));
  }
}

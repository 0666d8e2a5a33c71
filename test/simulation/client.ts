/** Proposes commands to whoever leads, and remembers what it was told is committed. */
import type { Entry } from '../../node/consensus/types.ts';
import type { Checks } from './checker.ts';
import type { SimNode } from './sim-node.ts';
import type { Workload } from './workload.ts';

interface Waiting {
  readonly term: number;
  readonly data: Uint8Array;
}

export class Client {
  readonly #waiting = new Map<SimNode, Map<number, Waiting>>();
  readonly #acknowledged = new Map<number, Uint8Array>();
  readonly #workload: Pick<Workload, 'nextCommand' | 'refused'>;

  constructor(workload: Pick<Workload, 'nextCommand' | 'refused'>) {
    this.#workload = workload;
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** @returns the index that the command got, or null when `node` refused it */
  propose(node: SimNode, count = 1): number | null {
    const commands: Uint8Array[] = [];
    for (let made = 0; made < count; made++) commands.push(this.#workload.nextCommand(node));
    return this.proposeThese(node, commands);
  }

  proposeThese(node: SimNode, commands: readonly Uint8Array[]): number | null {
    const proposed = node.step({ type: 'propose', commands });
    for (const command of commands.slice(proposed?.accepted ?? 0)) this.#workload.refused(node, command);
    if (proposed === null || proposed.accepted === 0) return null;
    const waiting = this.#waiting.get(node) ?? new Map<number, Waiting>();
    this.#waiting.set(node, waiting);
    for (const [position, data] of commands.slice(0, proposed.accepted).entries()) {
      waiting.set(proposed.firstIndex + position, { term: proposed.term, data });
    }
    return proposed.firstIndex;
  }

  /** As the driver does: the entry that was applied answers whoever proposed it there. */
  applied(node: SimNode, entry: Entry): void {
    const waiting = this.#waiting.get(node)?.get(entry.index);
    if (waiting === undefined) return;
    this.#waiting.get(node)?.delete(entry.index);
    if (waiting.term === entry.term) this.#acknowledged.set(entry.index, waiting.data);
  }

  crashed(node: SimNode): void {
    this.#waiting.delete(node);
  }

  check(checker: Checks): void {
    for (const [index, data] of this.#acknowledged) checker.acknowledged(index, data);
  }
}

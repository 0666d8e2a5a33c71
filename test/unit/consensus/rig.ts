/** Drivers on a virtual clock and a link in memory. */

import { ConsensusDriver } from '../../../node/consensus/driver.ts';
import type { LogStore } from '../../../node/consensus/log-store.ts';
import type { ConsensusOptions } from '../../../node/consensus/options.ts';
import type { NodeId, StateMachine } from '../../../node/consensus/types.ts';
import type { Random } from '../../../node/ports.ts';
import { prng } from '../../simulation/prng.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLogStore } from '../../support/memory-log-store.ts';
import { silentLogger } from '../../support/silent-logger.ts';

/** Remembers what it applied; the result is how many that were. */
export class ListMachine implements StateMachine<number> {
  readonly applied: string[] = [];

  apply(data: Uint8Array): number {
    return this.applied.push(new TextDecoder().decode(data));
  }

  reset(): void {
    this.applied.length = 0;
  }
}

export class RigNode implements AsyncDisposable {
  readonly id: NodeId;
  readonly machine = new ListMachine();
  readonly driver: ConsensusDriver<number>;
  readonly fatal: Error[] = [];

  constructor(rig: Rig, id: NodeId, store: LogStore, options: Partial<ConsensusOptions>) {
    this.id = id;
    this.driver = new ConsensusDriver<number>(
      { ...options, id, onFatal: (error) => this.fatal.push(error) },
      {
        store,
        clock: rig.clock,
        random: rig.random,
        link: { send: (to, frame) => rig.carry(id, to, frame) },
        machine: this.machine,
        logger: { ...silentLogger, error: rig.tell, warn: rig.tell },
      },
    );
  }

  propose(text: string) {
    return this.driver.propose(new TextEncoder().encode(text));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.driver.stop();
  }
}

export class Rig implements AsyncDisposable {
  readonly clock = new FakeClock(0);
  readonly random: Random;
  readonly nodes = new Map<NodeId, RigNode>();
  readonly stores = new Map<NodeId, MemoryLogStore>();
  readonly #crashed: RigNode[] = [];
  /** Frames to and from these are lost. */
  readonly away = new Set<NodeId>();
  frames = 0;
  /** What was logged as a warning or an error. */
  readonly told: { readonly peer?: unknown }[] = [];
  readonly tell = (fields: object): void => void this.told.push(fields);

  constructor(seed = 1) {
    const dice = prng(seed);
    let ids = 0;
    this.random = { next: dice.next, id: () => String(++ids).padStart(32, '0') };
  }

  async add(id: NodeId, options: Partial<ConsensusOptions> = {}): Promise<RigNode> {
    const store = this.stores.get(id) ?? new MemoryLogStore();
    this.stores.set(id, store);
    const node = new RigNode(this, id, store, options);
    this.nodes.set(id, node);
    await node.driver.start();
    return node;
  }

  node(id: NodeId): RigNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** A cluster of voters that grew out of the first one, which leads. */
  async cluster(...ids: readonly NodeId[]): Promise<readonly RigNode[]> {
    const nodes: RigNode[] = [];
    for (const id of ids) nodes.push(await this.add(id));
    const [first, ...others] = nodes;
    if (first === undefined) return nodes;
    await first.driver.bootstrap();
    await this.clock.until(() => first.driver.status().ready);
    for (const { id, driver } of others) {
      driver.introduce([first.id]);
      for (const type of ['add-learner', 'promote'] as const) {
        const changed = first.driver.changeConfiguration({ type, node: id });
        await this.clock.pass(20);
        const outcome = await changed;
        if (!outcome.ok) throw new Error(`${type} ${id}: ${outcome.error.code}`);
      }
    }
    return nodes;
  }

  /** The machine dies: the node stops where it stands, and nothing that isn't synced is left. */
  crash(id: NodeId): void {
    this.#crashed.push(this.node(id));
    this.nodes.delete(id);
    const store = this.stores.get(id);
    if (store !== undefined) this.stores.set(id, new MemoryLogStore(store.crash()));
  }

  leader(): RigNode | undefined {
    return [...this.nodes.values()].find(({ driver, id }) => !this.away.has(id) && driver.status().ready);
  }

  carry(from: NodeId, to: NodeId, frame: Uint8Array): void {
    this.frames++;
    const sender = this.nodes.get(from);
    // A crashed node runs on here, but nobody hears it.
    if (sender === undefined) return;
    queueMicrotask(() => {
      if (this.away.has(from) || this.away.has(to) || this.nodes.get(from) !== sender) return;
      this.nodes.get(to)?.driver.receive(from, frame);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test that failed may have left writes waiting: nothing shall wait for them.
    for (const store of this.stores.values()) {
      store.autoSync = true;
      store.sync();
    }
    for (const node of [...this.nodes.values(), ...this.#crashed]) await node.driver.stop();
  }
}

/** Does harm at random, and can undo all of it. */
import { applyChange } from '../../node/consensus/configuration.ts';
import type { Configuration, ConfigurationChange } from '../../node/consensus/types.ts';
import type { Client } from './client.ts';
import type { Network } from './network.ts';
import type { Prng } from './prng.ts';
import { type Scenario, TICK_MS } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimNode } from './sim-node.ts';

export interface NemesisWorld {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly scenario: Scenario;
  readonly network: Pick<Network<unknown>, 'cut' | 'mend'>;
  readonly nodes: readonly SimNode[];
  readonly client: Client;
  /** The next step towards everyone being a member. */
  plan(leader: SimNode): ConfigurationChange | null;
  /** Whether faults may go as far as this. */
  mayRest(configuration: Configuration): boolean;
  log(line: string): void;
}

export class Nemesis {
  readonly #world: NemesisWorld;
  #over = false;

  constructor(world: NemesisWorld) {
    this.#world = world;
  }

  begin(): void {
    const { scheduler, random, scenario } = this.#world;
    const strike = (): void => {
      if (this.#over) return;
      this.#strike();
      scheduler.after(random.next() * 2 * scenario.nemesisMs, strike);
    };
    scheduler.after(random.next() * 300, strike);
  }

  /** All links mended, all nodes up. */
  end(): void {
    this.#over = true;
    this.#world.network.mend();
    for (const node of this.#world.nodes) this.#restart(node);
  }

  /** Cuts the power in the middle of a write, now and then. */
  writing(node: SimNode, votes: boolean, ms: number): void {
    const { scheduler, random, scenario } = this.#world;
    if (this.#over || !random.chance(scenario.powerCutChance * (votes ? 10 : 1))) return;
    scheduler.after(random.next() * ms, () => {
      if (this.#over || !node.alive) return;
      this.#crash(node);
      scheduler.after(random.next() * 10, () => this.#restart(node));
    });
  }

  #strike(): void {
    const { random, scenario, nodes } = this.#world;
    const dice = random.next();
    if (dice < 0.3) this.#crash(this.#victim());
    else if (dice < 0.55) this.#restart(random.pick(nodes));
    else if (dice < 0.65) this.#isolate(this.#victim());
    else if (dice < 0.72) this.#split();
    else if (dice < 0.78) this.#cutOneWay();
    else if (dice < 0.88) this.#world.network.mend();
    else if (dice < 0.9) this.#falseHint();
    else if (scenario.changesMembers) this.#changeMembers();
  }

  /** Leaders are hit more often than others. */
  #victim(): SimNode {
    const { random, nodes } = this.#world;
    const leader = nodes.find((node) => node.alive && node.head().role === 'leader');
    return leader !== undefined && random.chance(0.5) ? leader : random.pick(nodes);
  }

  #crash(node: SimNode): void {
    if (!node.alive) return;
    const { scheduler, random, scenario, nodes, client, log } = this.#world;
    log(`crash ${node.id}`);
    node.crash();
    client.crashed(node);
    for (const other of nodes) {
      if (!random.chance(scenario.hintChance)) continue;
      scheduler.after(random.next() * 5, () => other.step({ type: 'peer-unreachable', peer: node.id }));
    }
    if (random.chance(0.6)) scheduler.after(random.next() * 400, () => this.#restart(node));
  }

  #restart(node: SimNode): void {
    if (node.alive) return;
    this.#world.log(`restart ${node.id}`);
    node.start(TICK_MS);
  }

  #isolate(node: SimNode): void {
    this.#world.log(`isolate ${node.id}`);
    for (const other of this.#world.nodes) this.#cutBoth(node, other);
  }

  #split(): void {
    const { random, nodes, log } = this.#world;
    const left = nodes.filter(() => random.chance(0.5));
    log(`split ${left.map(({ id }) => id).join(' ')} from the rest`);
    for (const node of left) {
      for (const other of nodes) if (!left.includes(other)) this.#cutBoth(node, other);
    }
  }

  #cutBoth(node: SimNode, other: SimNode): void {
    this.#world.network.cut(node.id, other.id);
    this.#world.network.cut(other.id, node.id);
  }

  #cutOneWay(): void {
    const { random, nodes, network, log } = this.#world;
    const [from, to] = [random.pick(nodes), random.pick(nodes)];
    log(`cut ${from.id} to ${to.id}`);
    network.cut(from.id, to.id);
  }

  #falseHint(): void {
    const { random, nodes, log } = this.#world;
    const [node, peer] = [random.pick(nodes), random.pick(nodes)];
    log(`${node.id} believes that it lost ${peer.id}`);
    node.step({ type: 'peer-unreachable', peer: peer.id });
  }

  #changeMembers(): void {
    const { random, nodes, log } = this.#world;
    const leaders = nodes.filter((node) => node.alive && node.head().role === 'leader');
    if (leaders.length === 0) return;
    const leader = random.pick(leaders);
    const change = random.chance(0.5) ? this.#world.plan(leader) : this.#wild(leader);
    if (change === null) return;
    const next = applyChange(leader.head().configuration, change);
    if (!next.ok || !this.#world.mayRest(next.value)) return;
    const proposed = leader.step({ type: 'propose-change', change });
    if (proposed?.accepted === 1) log(`${leader.id} ${change.type} ${change.node}`);
  }

  /** Any change at all, wise or not. */
  #wild(leader: SimNode): ConfigurationChange | null {
    const { random, scenario } = this.#world;
    const type = random.pick(['add-learner', 'promote', 'demote', 'remove'] as const);
    const node = random.chance(0.3) ? leader.id : random.pick(scenario.nodes);
    const change = { type, node };
    return applyChange(leader.head().configuration, change).ok ? change : null;
  }
}

/**
 * A member that means harm: frames of every kind, in every state, that fit as well as a liar who sees into all nodes
 * can make them fit. Whom a frame comes from can't be forged: the mesh knows.
 *
 *     outsider         a member that the configuration doesn't name
 *     learner          one that it names as a learner
 *     removed          a voter until it was removed; it lies to those that know that, as it has a vote by the others.
 *                      To these it only says, for later, that it will be a voter for ever
 *     meddling voter   keeps its promises (votes once a term and by the log, acknowledges what it holds, leads when it
 *                      was elected), and says everything else
 *     lying voter      anything at all
 *     silent           hears all, and never says a word: no harm is meant
 *
 * What holds against whom stands in docs/architecture.md; `Simulation` checks that.
 */
import { quorum } from '../../node/consensus/configuration.ts';
import type { Message, MessageBody } from '../../node/consensus/messages.ts';
import type { Configuration, Entry, NodeId } from '../../node/consensus/types.ts';
import { sameEntry } from './checker.ts';
import type { Prng } from './prng.ts';
import { EPOCH_MS, type Scenario } from './scenario.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimNode } from './sim-node.ts';

export const HOSTILITIES = [
  'outsider',
  'learner',
  'removed',
  'meddling voter',
  'lying voter',
  'silent',
] as const;
export type Hostility = (typeof HOSTILITIES)[number];

export const HOSTILE: NodeId = 'h';
/** With one voter that lies in five, three honest ones are a majority without the fourth. */
const HONEST_VOTERS = 4;
/** Frames that are kept to be sent again. */
const REMEMBERED = 200;

export const votes = (hostility: Hostility): boolean => hostility.endsWith('voter');

/** The same scenario with the hostile member in its place. */
export function withHostile(scenario: Scenario, hostility: Hostility): Scenario {
  const { initial } = scenario;
  const count = Math.max(scenario.nodes.length, votes(hostility) ? HONEST_VOTERS : 0);
  const nodes = Array.from({ length: count }, (_, position) => `n${position + 1}`);
  if (votes(hostility)) {
    const voters = [HOSTILE, ...nodes.slice(0, HONEST_VOTERS)].sort();
    return { ...scenario, nodes, initial: { voters, learners: [] }, maxVoters: 5 };
  }
  if (hostility === 'removed') {
    return { ...scenario, initial: { ...initial, voters: [HOSTILE, ...initial.voters].sort() } };
  }
  // A cluster that grows from one: its log is young, and a second voter that is never heard ends it.
  if (hostility === 'silent') return { ...scenario, initial: { voters: nodes.slice(0, 1), learners: [] } };
  return hostility === 'learner' ? { ...scenario, initial: { ...initial, learners: [HOSTILE] } } : scenario;
}

/** Once the liar is stopped the others have to be a majority. */
export const endures = ({ voters, learners }: Configuration): boolean =>
  !voters.includes(HOSTILE) || voters.length - 1 >= quorum({ voters, learners });

export interface HostileWorld {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly self: SimNode;
  readonly honest: readonly SimNode[];
  /** Through the weather of the network. */
  send(to: NodeId, message: Message): void;
  /** At once. */
  deliver(to: NodeId, message: Message): void;
}

export class Hostile {
  readonly #hostility: Hostility;
  readonly #world: HostileWorld;
  readonly #heard: Message[] = [];
  /** Mean time between two attacks. */
  readonly #everyMs: number;
  readonly #forges: boolean;
  readonly #forgesConfigurations: boolean;
  #over = false;

  constructor(hostility: Hostility, world: HostileWorld) {
    this.#hostility = hostility;
    this.#world = world;
    // Lies of a voter are believed: where there are many of them nothing is left to be seen.
    this.#everyMs = world.random.pick(hostility === 'lying voter' ? [50, 300, 1000] : [2, 5, 20]);
    this.#forges = world.random.chance(hostility === 'lying voter' ? 0.5 : 1);
    this.#forgesConfigurations = world.random.chance(0.3);
  }

  begin(): void {
    if (this.#hostility === 'silent') return;
    const { random, scheduler } = this.#world;
    const strike = (): void => {
      if (this.#over) return;
      this.#strike();
      scheduler.after(random.next() * 2 * this.#everyMs, strike);
    };
    scheduler.after(random.next() * 300, strike);
  }

  end(): void {
    this.#over = true;
  }

  /** What anyone sent to anyone: to be sent again. */
  overhear(message: Message): void {
    this.#heard[Math.floor(this.#world.random.next() * REMEMBERED)] = message;
  }

  #strike(): void {
    const { random, honest, send, deliver } = this.#world;
    const target = random.pick(honest);
    if (!target.alive) return;
    if (!this.#mayAttack(target)) {
      deliver(target.id, this.#provision());
      return;
    }
    for (let left = random.pick([1, 1, 3]); left > 0; left--) {
      const message = this.#draw(target);
      if (message === null) continue;
      if (random.chance(0.5)) send(target.id, message);
      else deliver(target.id, message);
    }
  }

  #mayAttack(target: SimNode): boolean {
    if (this.#hostility !== 'removed') return true;
    const { voters } = target.head().configuration;
    return voters.length > 0 && !voters.includes(HOSTILE) && isSettled(target);
  }

  /** While it has a vote: names itself the voter of a configuration that no log will ever come to. */
  #provision(): Message {
    const term = EPOCH_MS;
    const voters = this.#world.random.pick([
      [HOSTILE],
      [HOSTILE, this.#world.random.pick(this.#world.honest).id],
    ]);
    const configurationIndex = Number.MAX_SAFE_INTEGER;
    return { type: 'voters-response', term, configurationIndex, configurationTerm: term, voters };
  }

  #draw(target: SimNode): Message | null {
    const { random } = this.#world;
    if (this.#hostility === 'meddling voter') return this.#meddle(target);
    const again = this.#heard[Math.floor(random.next() * REMEMBERED)];
    if (again !== undefined && random.chance(0.25)) return { ...again, term: this.#pickTerm(target) };
    return { ...this.#anyBody(target), term: this.#pickTerm(target) };
  }

  /** Mostly near the target's. */
  #pickTerm(target: SimNode): number {
    const { random } = this.#world;
    const near = target.head().term + random.pick([-1, 0, 0, 0, 1, 1, 2]);
    return random.chance(0.95) ? Math.max(0, near) : random.pick(FAR);
  }

  #meddle(target: SimNode): Message | null {
    const { self, random } = this.#world;
    if (!self.alive) return null;
    const { log } = self.core;
    const term = this.#pickTerm(target);
    const body = this.#anyBody(target);
    switch (body.type) {
      case 'append':
      case 'heartbeat':
        return null;
      case 'append-accepted':
        return { ...body, term, matchIndex: random.between(0, self.core.status().commitIndex) };
      case 'vote-response':
        return { ...body, term, granted: body.granted && body.pre };
      case 'vote-request':
        return body.pre
          ? { ...body, term }
          : { ...body, term, lastIndex: log.lastIndex, lastTerm: log.lastTerm };
      case 'voters-response':
        return { ...body, term, voters: body.voters };
      default:
        return { ...body, term };
    }
  }

  #anyBody(target: SimNode): MessageBody {
    const { random } = this.#world;
    const { lastIndex, commitIndex } = target.core.status();
    const index = (): number =>
      random.chance(0.9)
        ? Math.max(
            0,
            random.pick([lastIndex, commitIndex, random.between(0, lastIndex)]) + random.pick([-1, 0, 0, 1]),
          )
        : random.pick(FAR);
    const termAt = (at: number): number =>
      random.chance(0.8) ? (target.core.log.termAt(at) ?? target.head().term) : this.#pickTerm(target);
    const last = index();
    switch (random.pick(KINDS)) {
      case 'append':
        return this.#append(target, index());
      case 'heartbeat':
        return { type: 'heartbeat', commitIndex: index() };
      case 'append-accepted':
        return { type: 'append-accepted', matchIndex: index() };
      case 'append-rejected':
        return { type: 'append-rejected', previousIndex: index(), hintIndex: last, hintTerm: termAt(last) };
      case 'heartbeat-response':
        return { type: 'heartbeat-response' };
      case 'vote-request':
        return { type: 'vote-request', pre: random.chance(0.5), lastIndex: last, lastTerm: termAt(last) };
      case 'vote-response':
        return { type: 'vote-response', pre: random.chance(0.5), granted: random.chance(0.5) };
      case 'voters-request':
        return { type: 'voters-request', configurationIndex: last, configurationTerm: termAt(last) };
      case 'voters-response':
        return {
          type: 'voters-response',
          configurationIndex: index(),
          configurationTerm: this.#pickTerm(target),
          voters: [HOSTILE, random.pick(this.#world.honest).id],
        };
    }
  }

  /** After what the target holds: true entries of others, or forged ones that might stand there. */
  #append(target: SimNode, previousIndex: number): MessageBody {
    const { random, honest } = this.#world;
    const previousTerm = target.core.log.termAt(previousIndex) ?? target.head().term;
    const entries: Entry[] = [];
    const source = random.pick(honest);
    for (let at = previousIndex + 1; entries.length < random.between(0, 3); at++) {
      const true_ = source.alive ? source.core.log.entryAt(at) : null;
      if (true_ === null && !this.#forges) break;
      entries.push(true_ !== null && (!this.#forges || random.chance(0.5)) ? true_ : this.#forge(target, at));
    }
    const end = previousIndex + entries.length;
    const commitIndex = random.pick([0, end, end, target.core.status().commitIndex, Number.MAX_SAFE_INTEGER]);
    return { type: 'append', previousIndex, previousTerm, commitIndex, entries };
  }

  #forge(target: SimNode, index: number): Entry {
    const { random } = this.#world;
    const head = { term: target.head().term + random.pick([-1, 0, 0, 1]), index };
    const kind = random.pick(['noop', 'command', 'command', 'configuration'] as const);
    if (kind === 'configuration' && this.#forgesConfigurations) {
      const { voters, learners } = target.head().configuration;
      const fewer = voters.filter(() => random.chance(0.7));
      return { ...head, kind, configuration: { voters: random.pick([[], [HOSTILE], fewer]), learners } };
    }
    return { ...head, kind: 'command', data: new TextEncoder().encode(`forged ${random.between(0, 1e6)}`) };
  }
}

const FAR = [1000, 2 ** 20, 2 ** 30, 2 ** 40, EPOCH_MS, 2 ** 45, Number.MAX_SAFE_INTEGER];
const KINDS = [
  'append',
  'append',
  'append',
  'heartbeat',
  'append-accepted',
  'append-rejected',
  'heartbeat-response',
  'vote-request',
  'vote-response',
  'voters-request',
  'voters-response',
] as const;

/** Whether the newest configuration that the node has is committed, as far as it knows. */
function isSettled({ core }: SimNode): boolean {
  const { commitIndex, lastIndex } = core.status();
  for (let index = lastIndex; index > commitIndex; index--) {
    if (core.log.entryAt(index)?.kind === 'configuration') return false;
  }
  return true;
}

/**
 * Whether what a lying voter left can heal by itself. What it had one node commit that another contradicts, or
 * configurations that it forged, only people can mend. Else there is one history of all that any of them committed: a
 * majority of the newest configuration holds all of it, and nobody holds anything else in its place.
 */
export function canHeal(honest: readonly SimNode[]): boolean {
  const committed = honest.reduce((most, node) => (commitOf(node) > commitOf(most) ? node : most));
  const end = commitOf(committed);
  const agrees = (node: SimNode): boolean => {
    for (let index = Math.min(end, node.core.log.lastIndex); index > 0; index--) {
      const [a, b] = [node.core.log.entryAt(index), committed.core.log.entryAt(index)];
      if (a === null || b === null || !sameEntry(a, b)) return false;
    }
    return true;
  };
  if (!honest.every(agrees)) return false;
  const holders = honest.filter(({ core }) => core.log.lastIndex >= end);
  const { configuration } = committed.head();
  const isSame = holders.every(
    (node) => JSON.stringify(node.head().configuration) === JSON.stringify(configuration),
  );
  const majority =
    holders.filter(({ id }) => configuration.voters.includes(id)).length >= quorum(configuration);
  return isSame && majority && configuration.voters.length > 0;
}

const commitOf = (node: SimNode): number => node.core.status().commitIndex;

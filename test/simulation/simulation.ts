/**
 * A whole cluster under one seed: first a time of faults, then peace, in which it has to recover.
 * Everything that happens is decided by the seed, so a failing run is repeated by running the seed again.
 * It is long because it holds all that the phases share; who does harm, proposes and checks stands beside it.
 */

import type { CoreOptions } from '../../node/consensus/core-state.ts';
import { memberToPlan, type PlannedMember, planMembership } from '../../node/consensus/membership.ts';
import type { Message, Persist } from '../../node/consensus/messages.ts';
import { OBJECTIONS, type Objection } from '../../node/consensus/objections.ts';
import { isPlausibleTerm } from '../../node/consensus/terms.ts';
import type { ConsensusStatus, Entry } from '../../node/consensus/types.ts';
import { Checker, type Checks, OwnWordChecker, Violation } from './checker.ts';
import { Client } from './client.ts';
import { canHeal, endures, HOSTILE, Hostile, type Hostility, votes, withHostile } from './hostile.ts';
import { Nemesis } from './nemesis.ts';
import { FAIR_WEATHER, Network } from './network.ts';
import { type Prng, prng } from './prng.ts';
import { drawScenario, ELECTION_TICKS, EPOCH_MS, type Scenario, TICK_MS } from './scenario.ts';
import { Scheduler } from './scheduler.ts';
import { type Dishonesty, SimNode } from './sim-node.ts';
import { chainWorkload, lendingWorkload, tablesWorkload, type Workload } from './workload.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly dishonesty?: Dishonesty;
  /** One more member, which means harm. @default none */
  readonly hostility?: Hostility | null;
  /** Called with every line of what happens; costs time. */
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  /** Null: all held. */
  readonly failure: Error | null;
  readonly events: number;
  readonly virtualMs: number;
  readonly committed: number;
  readonly acknowledged: number;
  readonly terms: number;
  /** A lying voter left what only people can mend. */
  readonly broken: boolean;
}

/** Within this time of peace there has to be a leader, and all members have to agree. */
const RECOVERY_MS = 12_000;
/** 40 election timeouts: a few elections come to nothing, and configurations that are missing are asked for. */
const WRITES_WITHIN_MS = 40 * ELECTION_TICKS * TICK_MS;
/** Where appends hold one entry and few are under way at once, a new member needs that much longer. */
const CATCH_UP_MS_PER_ENTRY = 20;
/** A batch of commands is taken as far as the leader's log has room. */
const DRAIN_ROUNDS = 10;
const DRAIN_MS = 300;
/** So long nobody may disturb the leader that peace brought. */
const CALM_MS = 1000;
/** So long nobody proposes anything, where the log shall be young. */
const YOUNG_MS = 500;
/** Mean time between two tries to be let in. */
const JOIN_MS = 250;

export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run();
}

class Simulation {
  readonly #seed: number;
  readonly #trace: ((line: string) => void) | null;
  readonly #random;
  readonly #scenario: Scenario;
  readonly #scheduler = new Scheduler();
  readonly #workload: Workload;
  readonly #client: Client;
  readonly #network: Network<Message>;
  readonly #nodes: readonly SimNode[];
  readonly #checker: Checks;
  readonly #hostility: Hostility | null;
  readonly #hostile: Hostile | null;
  readonly #honest: readonly SimNode[];
  readonly #byId: ReadonlyMap<string, SimNode>;
  readonly #heads = new Map<SimNode, string>();
  #nemesis: Nemesis | null = null;
  #peace = false;
  #broken = false;
  #highestTerm = 0;
  #steps = 0;

  constructor({ seed, dishonesty = 'none', hostility = null, trace }: SimulationOptions) {
    this.#seed = seed;
    this.#trace = trace ?? null;
    this.#random = prng(seed);
    const scenario = drawScenario(this.#random);
    this.#hostility = hostility;
    this.#scenario = hostility === null ? scenario : withHostile(scenario, hostility);
    this.#network = new Network(this.#scheduler, this.#random.fork(), (from, to, message) => {
      this.#deliver(from, to, message);
    });
    const useCodec = seed % 8 === 0;
    const workload = drawWorkload(seed, this.#scenario, this.#random);
    this.#workload = workload;
    this.#client = new Client(workload);
    const ids = hostility === null ? this.#scenario.nodes : [...this.#scenario.nodes, HOSTILE];
    this.#nodes = ids.map((id) => {
      return new SimNode(coreOptions(id, this.#scenario), {
        scheduler: this.#scheduler,
        random: this.#random.fork(),
        dishonesty,
        useCodec,
        machine: workload.newMachine(),
        checker: () => this.#checker,
        diskWeather: () => (this.#peace ? { ...this.#scenario.disk, stallChance: 0 } : this.#scenario.disk),
        send: (from, to, message) => this.#send(from, to, message),
        applied: (node, entry) => this.#applied(node, entry),
        refused: (node, { peer, objection }) => this.#refused(node, peer, objection),
        stepped: (node) => this.#stepped(node),
        writing: (node, persist, ms) => this.#writing(node, persist, ms),
      });
    });
    this.#byId = new Map(this.#nodes.map((node) => [node.id, node]));
    this.#honest = this.#nodes.filter(({ id }) => id !== HOSTILE);
    this.#checker = hostility === 'lying voter' ? new OwnWordChecker() : new Checker(this.#nodes);
    this.#hostile = hostility === null ? null : this.#makeHostile(hostility);
  }

  #makeHostile(hostility: Hostility): Hostile {
    return new Hostile(hostility, {
      scheduler: this.#scheduler,
      random: this.#random.fork(),
      self: this.#byId.get(HOSTILE) as SimNode,
      honest: this.#honest,
      send: (to, message) => this.#network.send(HOSTILE, to, message),
      deliver: (to, message) => this.#deliver(HOSTILE, to, message),
    });
  }

  /** Through the driver's door. */
  #deliver(from: string, to: string, message: Message): void {
    if (isPlausibleTerm(message.term, EPOCH_MS + this.#scheduler.now))
      this.#byId.get(to)?.step({ type: 'message', from, message });
  }

  #send(from: string, to: string, message: Message): void {
    this.#hostile?.overhear(message);
    if (this.#hostility !== 'silent' || from !== HOSTILE) this.#network.send(from, to, message);
  }

  run(): SimulationResult {
    let failure: Error | null = null;
    try {
      this.#faults();
      this.#recovery();
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      this.#trace?.(`${this.#stamp()} ${failure.message}`);
    }
    return {
      seed: this.#seed,
      failure,
      events: this.#scheduler.events,
      virtualMs: this.#scheduler.now,
      committed: this.#checker.committedCount,
      acknowledged: this.#client.acknowledged,
      terms: this.#highestTerm,
      broken: this.#broken,
    };
  }

  #faults(): void {
    const scenario = this.#scenario;
    const nemesis = this.#makeNemesis();
    this.#nemesis = nemesis;
    this.#trace?.(`seed ${this.#seed} ${JSON.stringify(scenario)}`);
    this.#network.weather = scenario.network;
    for (const node of this.#nodes) {
      if (scenario.initial.voters.includes(node.id)) {
        const configuration = scenario.initial;
        node.disk.write({
          hardState: { term: 1, votedFor: null, commitIndex: 1 },
          entries: [{ kind: 'configuration', term: 1, index: 1, configuration }],
        });
      }
      node.start(TICK_MS);
    }
    this.#proposeForEver();
    this.#letIn();
    if (this.#hostility === 'silent') this.#superviseMembers(this.#scenario.nodes);
    this.#hostile?.begin();
    nemesis.begin();
    this.#scheduler.runUntil(scenario.faultsForMs);
    nemesis.end();
  }

  #makeNemesis(): Nemesis {
    return new Nemesis({
      scheduler: this.#scheduler,
      random: this.#random.fork(),
      scenario: this.#scenario,
      network: this.#network,
      nodes: this.#nodes,
      client: this.#client,
      plan: (leader) => this.#plan(leader, this.#scenario.nodes),
      mayRest: (configuration) => this.#hostility === null || endures(configuration),
      log: (line) => this.#trace?.(`${this.#stamp()} ${line}`),
    });
  }

  /** As `Joining` does: a node without a log asks a member until it has one. */
  #letIn(): void {
    const random = prng(this.#seed);
    const join = (): void => {
      const members = this.#honest.filter(
        (node) => node.alive && node.head().configuration.voters.length > 0,
      );
      for (const node of this.#hostility === 'silent' ? this.#nodes : this.#honest) {
        if (!node.alive || node.head().configuration.voters.length > 0 || members.length === 0) continue;
        node.step({ type: 'introduce', by: [random.pick(members).id] });
      }
      this.#scheduler.after(random.next() * 2 * JOIN_MS, join);
    };
    join();
  }

  #proposeForEver(): void {
    const random = this.#random.fork();
    const { proposalMs } = this.#scenario;
    const propose = (): void => {
      if (this.#peace) return;
      // A stale leader is asked as well as the true one, and now and then one that doesn't lead at all.
      for (const node of this.#nodes) {
        const leads = node.alive && node.head().role === 'leader';
        if (leads || random.chance(0.01)) this.#client.propose(node, random.pick([1, 1, 5]));
      }
      this.#scheduler.after(random.next() * 2 * proposalMs, propose);
    };
    this.#scheduler.after(this.#hostility === 'silent' ? YOUNG_MS : 0, propose);
  }

  /** Peace: one leader, an odd number of voters, the same log everywhere, and then nobody disturbs it. */
  #recovery(): void {
    this.#peace = true;
    this.#network.weather = FAIR_WEATHER;
    if (this.#hostility !== null && votes(this.#hostility) && !this.#stopHostile()) return;
    const members = this.#scenario.nodes.filter(
      () => this.#hostility === 'silent' || this.#random.chance(0.8),
    );
    if (members.length === 0) members.push(this.#scenario.nodes[0] as string);
    this.#trace?.(`${this.#stamp()} peace; members shall be ${members.join(' ')}`);
    if (this.#hostility !== 'silent') this.#superviseMembers(members);
    // What is stalled or late since the time of faults still comes to its end.
    this.#scheduler.runUntil(this.#scheduler.now + Math.max(this.#scenario.disk.stallMs, 400));
    if (this.#hostility !== null) this.#acceptWrites();
    const recoveryMs = RECOVERY_MS + CATCH_UP_MS_PER_ENTRY * this.#checker.committedCount;
    const deadline = this.#scheduler.now + recoveryMs;
    let leader: SimNode | null = null;
    this.#scheduler.runUntil(deadline, () => {
      leader = this.#settledLeader(members);
      return leader !== null;
    });
    if (leader === null)
      throw new Violation('liveness', `no settled leader ${recoveryMs} ms after the last fault`);
    const marker = this.#drained(leader);
    if (marker === null) throw new Violation('liveness', 'the settled leader refuses a proposal');
    this.#scheduler.runUntil(this.#scheduler.now + CALM_MS / 2);
    // One follower believes that it lost the leader: the others still hear it, and uphold it.
    const deceived = this.#random.pick(this.#honest);
    deceived.step({ type: 'peer-unreachable', peer: (leader as SimNode).id });
    this.#scheduler.runUntil(this.#scheduler.now + CALM_MS / 2);
    this.#checkCalm(leader, marker);
    this.#workload.checkDrained(leader);
    this.#checker.logsMatch();
    this.#client.check(this.#checker);
  }

  /** A ready leader has committed an entry of its term, and so can anyone's. */
  #acceptWrites(): void {
    const accepts = (): boolean => this.#honest.some((node) => node.alive && node.head().ready);
    this.#scheduler.runUntil(this.#scheduler.now + WRITES_WITHIN_MS, accepts);
    if (!accepts()) throw new Violation('liveness', `no writes ${WRITES_WITHIN_MS} ms after the last fault`);
  }

  /** Its people stop it. @returns false when what it left can't heal by itself */
  #stopHostile(): boolean {
    this.#hostile?.end();
    const node = this.#byId.get(HOSTILE) as SimNode;
    node.crash();
    node.retired = true;
    this.#broken = this.#hostility === 'lying voter' && !canHeal(this.#honest);
    // Broken or not, nobody's process ends.
    if (this.#broken) this.#scheduler.runUntil(this.#scheduler.now + CALM_MS);
    this.#checker.logsMatch();
    return !this.#broken;
  }

  /** The index of the last entry that shall be everywhere. What goes on is ended by as many commands as it takes. */
  #drained(leader: SimNode): number | null {
    let marker = this.#client.propose(leader);
    for (let round = 0; round < DRAIN_ROUNDS && marker !== null; round++) {
      this.#scheduler.runUntil(this.#scheduler.now + DRAIN_MS);
      const commands = this.#workload.drain(leader);
      if (commands.length === 0) return marker;
      marker = this.#client.proposeThese(leader, commands);
    }
    return marker;
  }

  #superviseMembers(members: readonly string[]): void {
    const supervise = (): void => {
      for (const node of this.#nodes) {
        if (!node.alive || node.head().role !== 'leader') continue;
        const change = this.#plan(node, members);
        if (change !== null) node.step({ type: 'propose-change', change });
      }
      this.#scheduler.after(2 * TICK_MS, supervise);
    };
    supervise();
  }

  #plan(node: SimNode, members: readonly string[]) {
    const status = node.core.status();
    return planMembership({
      self: node.id,
      configuration: status.configuration,
      maxVoters: this.#scenario.maxVoters,
      answering: [...status.progress].filter(([, { active }]) => active).map(([id]) => id),
      members: [...this.#guest(status), ...members.map((id) => memberToPlan(status, id))],
    });
  }

  /** The hostile member, where it shall be a member too. Learners of that kind are never promoted. */
  #guest(status: ConsensusStatus): PlannedMember[] {
    const hostility = this.#hostility;
    if (hostility === 'learner') return [{ id: HOSTILE, mayVote: false, alive: true, caughtUp: true }];
    const isMember = hostility === 'silent' || (hostility !== null && votes(hostility) && !this.#peace);
    return isMember ? [memberToPlan(status, HOSTILE)] : [];
  }

  /** A ready leader whose configuration is what the members want, at rest, committed, and all have caught up. */
  #settledLeader(members: readonly string[]): SimNode | null {
    for (const node of this.#nodes) {
      if (!node.alive || !node.head().ready || !members.includes(node.id)) continue;
      const { configuration, commitIndex, lastIndex, progress } = node.core.status();
      const ids = [...configuration.voters, ...configuration.learners].filter((id) => id !== HOSTILE);
      if (ids.length !== members.length || commitIndex !== lastIndex) continue;
      const isBehind = (id: string): boolean => (progress.get(id)?.matchIndex ?? lastIndex) < lastIndex;
      if (ids.some((id) => isBehind(id) && !this.#isDeaf(node, id))) continue;
      if (this.#plan(node, members) === null) return node;
    }
    return null;
  }

  /** A learner that a liar with a vote led into a later term: it has to be removed, and to join anew. */
  #isDeaf(leader: SimNode, id: string): boolean {
    const { configuration, term } = leader.head();
    if (this.#hostility === null || !votes(this.#hostility) || configuration.voters.includes(id))
      return false;
    return (this.#byId.get(id)?.head().term ?? 0) > term;
  }

  #checkCalm(leader: SimNode, marker: number): void {
    const { role, term, configuration } = leader.head();
    if (role !== 'leader')
      throw new Violation('calm', `${leader.id} was unseated in peace, now in term ${term}`);
    if (configuration.voters.length % 2 === 0)
      throw new Violation('calm', 'an even number of voters at rest');
    for (const id of [...configuration.voters, ...configuration.learners]) {
      if (id === HOSTILE || this.#isDeaf(leader, id)) continue;
      const node = this.#byId.get(id);
      if (node === undefined || node.applied < marker) {
        throw new Violation(
          'liveness',
          `${id} applied ${node?.applied} of ${marker} after ${CALM_MS} ms of peace`,
        );
      }
      if (node.machine.digest() !== leader.machine.digest()) {
        throw new Violation('state machine safety', `${id} and ${leader.id} hold different tables`);
      }
    }
  }

  #writing(node: SimNode, { hardState }: Persist, ms: number): void {
    const { term, votedFor } = node.disk.hardState;
    const votes = hardState.votedFor !== null && (hardState.term !== term || hardState.votedFor !== votedFor);
    this.#nemesis?.writing(node, votes, ms);
  }

  #applied(node: SimNode, entry: Entry): void {
    this.#client.applied(node, entry);
  }

  /** Honest members break no rule that can be told from outside. */
  #refused(node: SimNode, peer: string, objection: Objection): void {
    const isExpected = peer === HOSTILE || this.#hostility === 'lying voter';
    if (isExpected || OBJECTIONS[objection].severity === 'warn') return;
    throw new Violation('honesty', `${node.id} refuses a frame of ${peer}: ${objection}`);
  }

  #stepped(node: SimNode): void {
    const { role, term, leader } = node.head();
    if (role === 'leader') this.#checker.leads(node, term);
    this.#checker.stepped(node);
    this.#highestTerm = Math.max(this.#highestTerm, term);
    if (++this.#steps % 4000 === 0) this.#checker.logsMatch();
    if (this.#trace === null) return;
    const head = `${role} in ${term}${leader === null ? '' : `, leader ${leader}`}`;
    if (this.#heads.get(node) === head) return;
    this.#heads.set(node, head);
    this.#trace(`${this.#stamp()} ${node.id} is ${head}`);
  }

  #stamp(): string {
    return this.#scheduler.now.toFixed(1).padStart(8);
  }
}

/**
 * Three quarters of the seeds see every difference cheaply or ask the tables for all that they can do; the rest lends
 * ways.
 */
function drawWorkload(seed: number, scenario: Scenario, random: Prng): Workload {
  if (seed % 4 === 1) return tablesWorkload(random.fork());
  return seed % 4 === 3 ? lendingWorkload(random.fork()) : chainWorkload(scenario.commandBytes);
}

const coreOptions = (id: string, { maxAppendBytes, windowAppends }: Scenario): CoreOptions => ({
  id,
  heartbeatTicks: 2,
  electionTicks: ELECTION_TICKS,
  hurryTicks: 3,
  maxAppendBytes,
  windowAppends,
  maxUncommittedBytes: 20_000,
});

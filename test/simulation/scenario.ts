/** What a seed decides before a run begins. */
import type { Configuration } from '../../node/consensus/types.ts';
import { FAIR_WEATHER, type NetworkWeather } from './network.ts';
import type { Prng } from './prng.ts';
import type { DiskWeather } from './sim-node.ts';

export interface Scenario {
  /** All nodes there are; those outside of `initial` start empty. */
  readonly nodes: readonly string[];
  readonly initial: Configuration;
  readonly maxVoters: number;
  readonly network: NetworkWeather;
  readonly disk: DiskWeather;
  /** Mean time between two blows of the nemesis. */
  readonly nemesisMs: number;
  readonly changesMembers: boolean;
  /** Of a broken connection being noticed by the transport. */
  readonly hintChance: number;
  readonly proposalMs: number;
  readonly commandBytes: number;
  readonly faultsForMs: number;
  /** Of power being cut in the middle of a write; a write of a vote is hit more often. */
  readonly powerCutChance: number;
  readonly maxAppendBytes: number;
  readonly windowAppends: number;
}

export const TICK_MS = 10;
export const ELECTION_TICKS = 10;
/** What the clocks of the nodes say when a run begins. */
export const EPOCH_MS = 1_700_000_000_000;

export function drawScenario(random: Prng): Scenario {
  const count = random.between(3, 7);
  const nodes = Array.from({ length: count }, (_, position) => `n${position + 1}`);
  const grown = random.chance(0.3);
  const voters = nodes.slice(0, grown ? 1 : random.pick([3, 3, count]));
  // Entries cross one by one, so that followers hold every possible part of a leader's log.
  const slow = random.chance(0.3);
  return {
    nodes,
    initial: { voters, learners: [] },
    maxVoters: random.pick([3, 5, 7]),
    network: random.chance(0.15) ? FAIR_WEATHER : drawNetwork(random),
    disk: {
      delayMs: random.pick([1, 5, 15]),
      stallChance: random.pick([0, 0.01, 0.05]),
      stallMs: random.pick([50, 200, 600]),
    },
    nemesisMs: random.pick([60, 150, 400]),
    changesMembers: grown || random.chance(0.6),
    hintChance: random.pick([0, 0.5, 1]),
    proposalMs: slow ? 40 : random.pick([3, 10, 30]),
    commandBytes: random.pick([8, 8, 200]),
    faultsForMs: random.pick([1500, 3000, 5000]),
    powerCutChance: random.pick([0, 0.002, 0.01]),
    maxAppendBytes: slow ? 40 : random.pick([300, 1500]),
    windowAppends: slow ? 1 : random.pick([2, 4]),
  };
}

const drawNetwork = (random: Prng): NetworkWeather => ({
  dropChance: random.pick([0, 0.02, 0.1, 0.25]),
  duplicateChance: random.pick([0, 0.05, 0.2]),
  lateChance: random.pick([0, 0.05, 0.2]),
  delayMs: random.pick([1, 5, 20]),
  longDelayMs: random.pick([50, 150, 400]),
});

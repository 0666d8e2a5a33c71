/** What the clients propose, and the state machine that it is applied to. Two commands are never the same bytes. */

import { encodeCommand } from '../../node/state/commands.ts';
import { Tables } from '../../node/state/tables.ts';
import type { ApplyResult } from '../../node/state/types.ts';
import { tokenId } from '../../protocols/proof/token-keys.ts';
import type { Command } from '../../protocols/schema/command.ts';
import type { ModelVersion } from '../../protocols/schema/model.ts';
import type { RunResult, RunSpec } from '../../protocols/schema/run.ts';
import type { SealedSecret } from '../../protocols/schema/secret.ts';
import { apiTokenOf, joinTokenOf, memberOf, peerId, resultOf, specOf } from '../builders/nouns.ts';
import { LendingMachine } from './lending.ts';
import type { Prng } from './prng.ts';
import { ChainMachine, type SimMachine } from './sim-machine.ts';
import type { SimNode } from './sim-node.ts';

export interface Workload {
  newMachine(): SimMachine;
  /** What `node` proposes. */
  nextCommand(node: SimNode): Uint8Array;
  /** A node would not take it. */
  refused(node: SimNode, command: Uint8Array): void;
  /** In peace: commands that end all that goes on. */
  drain(leader: SimNode): readonly Uint8Array[];
  /** They are applied. */
  checkDrained(node: SimNode): void;
}

const NOTHING_TO_DRAIN = { refused: () => {}, drain: () => [], checkDrained: () => {} };

/** Opaque bytes into a chain of hashes: cheap, and sees every difference. */
export function chainWorkload(bytes: number): Workload {
  let made = 0;
  return {
    newMachine: () => new ChainMachine(),
    ...NOTHING_TO_DRAIN,
    nextCommand: () => new TextEncoder().encode(`c${++made}`.padEnd(bytes, '.')),
  };
}

/** Commands of every kind, sensible and stale, into the tables that the daemon replicates. */
export function tablesWorkload(random: Prng): Workload {
  let made = 0;
  return {
    newMachine: () => new TablesMachine(),
    ...NOTHING_TO_DRAIN,
    nextCommand: () => encodeCommand(drawCommand(random, ++made)),
  };
}

/** Ways lent and given back by whoever is master. */
export function lendingWorkload(random: Prng): Workload {
  let made = 0;
  const machineOf = (node: SimNode): LendingMachine => {
    if (node.machine instanceof LendingMachine) return node.machine;
    throw new TypeError('a machine of another workload');
  };
  return {
    newMachine: () => new LendingMachine(random.fork()),
    nextCommand: (node) => {
      if (!node.alive) return new Uint8Array();
      const { term, ready } = node.head();
      return machineOf(node).next(++made, term, ready);
    },
    refused: (node, command) => machineOf(node).refused(command),
    drain: (leader) => machineOf(leader).drain(++made),
    checkDrained: (node) => machineOf(node).checkDrained(made),
  };
}

class TablesMachine implements SimMachine {
  readonly #tables = new Tables({ keptFinishedRuns: 20 });

  apply(data: Uint8Array, index: number): ApplyResult {
    return this.#tables.apply(data, index);
  }

  reset(): void {
    this.#tables.reset();
  }

  digest(): string {
    return this.#tables.fingerprint();
  }
}

function drawCommand(random: Prng, atMs: number): Command {
  const runId = `run${random.between(Math.max(1, atMs - 60), atMs)}`;
  const node = peerId(`n${random.between(1, 5)}`);
  const attempt = random.between(1, 2);
  const fence = { runId, term: random.between(1, 4), attempt, atMs };
  const dice = random.next();
  if (dice < 0.08) {
    return {
      type: 'member-put',
      member: memberOf(node, { addresses: [`/ip4/10.0.0.${atMs}`], joinedAtMs: atMs }),
    };
  }
  if (dice < 0.12) return drawDoor(random, node, atMs);
  if (dice < 0.13) return drawKey(random, atMs);
  if (dice < 0.2) return { type: 'task-create', task: drawTask(random, atMs) };
  if (dice < 0.55) return { type: 'run-create', spec: drawSpec(random, atMs), assignment: null };
  if (dice < 0.7) {
    const assignment = { node, domain: 0, ways: 2, term: fence.term, attempt, atMs };
    return { type: 'run-assign', runId, assignment };
  }
  if (dice < 0.8) return { type: 'run-start', ...fence };
  if (dice < 0.88) {
    const result = random.chance(0.2) ? null : drawResult(random);
    return { type: 'run-finish', ...fence, state: 'succeeded', result, error: null };
  }
  if (dice < 0.92) return { type: 'run-requeue', runId, attempt, reason: 'refused', atMs };
  if (dice < 0.94) return { type: 'model-put', model: { ...drawModel(random, atMs), ...MODEL_FILE } };
  if (dice < 0.95) return { type: 'model-drop', model: drawModel(random, atMs) };
  if (dice < 0.96) return { type: 'model-select', version: random.between(0, 8) };
  return { type: 'run-cancel', runId, atMs };
}

const sealedUnder = (random: Prng): readonly SealedSecret[] =>
  random.chance(0.7)
    ? []
    : [{ name: 'SECRET', size: 1, sealed: { keyId: String(random.between(1, 3)).repeat(32), box: 'AAAA' } }];

/** A key for secrets, or those of a task under it. */
const drawKey = (random: Prng, atMs: number): Command =>
  random.chance(0.5)
    ? { type: 'cluster-key-put', id: String(random.between(1, 3)).repeat(32), removals: random.between(0, 2) }
    : { type: 'task-secrets', taskId: `task${(atMs % 30) + 1}`, secrets: sealedUnder(random) };

/** Tokens, who comes in by them, and who is put out: all that keeps the doors. */
function drawDoor(random: Prng, node: string, atMs: number): Command {
  const token = (age: number): string => `token ${Math.max(1, atMs - random.between(0, age))}`;
  const expiresAtMs = random.chance(0.5) ? null : atMs + random.between(0, 40);
  const uses = random.chance(0.5) ? null : random.between(1, 3);
  const made = { createdAtMs: atMs, expiresAtMs };
  return random.pick<() => Command>([
    () => ({ type: 'member-remove', id: node, atMs }),
    () => ({ type: 'member-admit', member: memberOf(node), tokenId: tokenId(token(40)), atMs }),
    () => ({ type: 'join-token-put', token: joinTokenOf(token(0), { ...made, uses }), replaces: null }),
    () => ({ type: 'join-token-put', token: joinTokenOf(token(0), made), replaces: tokenId(token(40)) }),
    () => ({
      type: 'api-token-put',
      token: apiTokenOf(token(0), made),
      replaces: random.chance(0.5) ? null : tokenId(token(40)),
    }),
    () => ({ type: 'token-revoke', id: tokenId(token(40)), atMs }),
    () => ({
      type: 'audit',
      entry: { atMs, who: 'a', tokenId: null, node, action: 'DELETE /x', subject: 'y' },
    }),
  ])();
}

const drawResult = (random: Prng): RunResult =>
  resultOf({
    executionTimeNs: random.between(1, 3) * 1e9,
    enforcement: random.pick(['enforced', 'unenforced'] as const),
    enforcementReason: null,
    llc: random.chance(0.1) ? null : { ways: 16, wayBytes: 1024, cpuModel: 'c' },
  });

const MODEL_FILE = { sha256: '1'.repeat(64), size: 1 } as const;

const drawModel = (random: Prng, trainedAtMs: number): Omit<ModelVersion, 'version' | 'sha256' | 'size'> => {
  const score = { loss: random.next(), within: 1, waysRatio: 1, questions: 1 };
  return {
    base: random.between(0, 3),
    before: score,
    after: score,
    extent: { functions: 1, curves: 1, points: 1 },
    learned: { tasks: 1, points: 1 },
    seed: 1,
    backend: 'cpu',
    node: 'n1',
    trainedAtMs,
  };
};

const drawTask = (random: Prng, createdAtMs: number) => ({
  id: `task${random.between(1, 30)}`,
  name: `function${random.between(1, 5)}`,
  fileName: 'f.py',
  sha256: '0'.repeat(64),
  size: 1,
  command: null,
  secrets: sealedUnder(random),
  createdAtMs,
});

const drawSpec = (random: Prng, createdAtMs: number): RunSpec =>
  specOf({
    id: `run${createdAtMs}`,
    taskId: `task${random.between(1, 30)}`,
    inputSize: 1,
    mode: 'INOP',
    ways: 2,
    secrets: sealedUnder(random),
    timeLimitMs: 1000,
    idempotencyKey: random.chance(0.3) ? `key${random.between(1, 20)}` : null,
    createdAtMs,
  });

/** A few hundred seeds of the whole; many more by `npm run simulate -- --seeds N`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOSTILITIES } from './hostile.ts';
import { MUTANTS } from './mutants.ts';
import { Nursery } from './plant.ts';
import type { Dishonesty } from './sim-node.ts';
import { type SimulationResult, simulate } from './simulation.ts';

const SEEDS = 400;
/** Of each kind of hostile member. */
const HOSTILE_SEEDS = 30;
/** Within so many seeds each planted bug has to be found. */
const HUNT_SEEDS = 1000;

function hunt(dishonesty: Dishonesty): SimulationResult | undefined {
  for (let seed = 1; seed <= HUNT_SEEDS; seed++) {
    const result = simulate({ seed, dishonesty });
    if (result.failure !== null) return result;
  }
  return undefined;
}

test(`${SEEDS} seeds of faults leave every property of Raft intact, and every acknowledged proposal`, () => {
  let acknowledged = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = simulate({ seed });
    acknowledged += result.acknowledged;
    assert.equal(
      result.failure,
      null,
      `${result.failure?.message}; repeat it with: npm run simulate -- --seed ${seed}`,
    );
  }
  assert.ok(
    acknowledged > SEEDS * 20,
    `only ${acknowledged} proposals were acknowledged: nothing was tested`,
  );
});

for (const hostility of HOSTILITIES) {
  test(`${HOSTILE_SEEDS} seeds with one more member, ${hostility}`, () => {
    let [acknowledged, broken] = [0, 0];
    for (let seed = 1; seed <= HOSTILE_SEEDS; seed++) {
      const result = simulate({ seed, hostility });
      acknowledged += result.acknowledged;
      if (result.broken) broken++;
      assert.equal(
        result.failure,
        null,
        `${result.failure?.message}; repeat it with: npm run simulate -- --seed ${seed} --hostile '${hostility}'`,
      );
    }
    assert.ok(acknowledged > HOSTILE_SEEDS * 20, `only ${acknowledged} proposals were acknowledged`);
    if (hostility !== 'lying voter') assert.equal(broken, 0);
    assert.ok(
      broken < HOSTILE_SEEDS * 0.8,
      `${broken} seeds left nothing to be checked after the liar was stopped`,
    );
  });
}

test('a seed replays exactly', () => {
  const run = (): string[] => {
    const lines: string[] = [];
    simulate({ seed: 7, trace: (line) => lines.push(line) });
    simulate({ seed: 7, hostility: 'lying voter', trace: (line) => lines.push(line) });
    return lines;
  };
  const first = run();
  assert.ok(first.length > 20);
  assert.deepEqual(run(), first);
});

test('the simulator sees a disk that says synced before it is', () => {
  assert.notEqual(hunt('says synced before it is'), undefined);
});

test('the simulator sees a vote that is forgotten on restart', () => {
  assert.match(hunt('forgets the vote')?.failure?.message ?? '', /one vote a term|election safety/);
});

test('the simulator sees a disk that loses the last entry', () => {
  assert.notEqual(hunt('loses the last entry'), undefined);
});

test('the simulator finds every planted bug', async (t) => {
  await using nursery = await Nursery.open();
  for (const mutant of MUTANTS) {
    await t.test(mutant.name, async () => {
      const found = await nursery.hunt(mutant, HUNT_SEEDS);
      assert.match(found ?? 'not found', /FAILED/);
    });
  }
});

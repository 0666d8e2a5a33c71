/** What is gossiped of a worker, from the kernel's groups on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import { describeCapacity } from '../../../node/worker/capacity.ts';
import { dispatchOf } from '../../builders/nouns.ts';
import { Rig, take } from '../llc/partitions-rig.ts';

const MiB = 1024 ** 2;

for (const emulated of [false, true]) {
  test(`tells where each way is, who has it, and what is filled, ${emulated ? 'emulated' : 'held'}`, async () => {
    await using rig = new Rig({
      machine: { shareableBits: 0xc00, closids: 4 },
      manager: { emulated },
      counters: ({ counter, domain }) => (counter === 'llc_occupancy' ? MiB * (1 + domain) : null),
    });
    await rig.fs.mkdir('theirs');
    await rig.fs.write('theirs/schemata', 'L3:0=1\n');
    const node = await rig.node();
    const own = await take(rig, node, { runId: 'own', ways: 3 });
    const waits = await take(rig, node, { runId: 'waits', ways: 2 });
    const shares = await take(rig, node, { runId: 'shares', ways: 1, sensitive: false });
    for (const lease of [own, waits, shares]) await node.observe(lease);
    const holding = [
      dispatchOf({ runId: 'own', ways: 3 }),
      dispatchOf({ runId: 'waits', ways: 2 }),
      dispatchOf({ runId: 'shares', ways: 1, sensitive: false }),
      dispatchOf({ runId: 'lost', ways: 1, domain: 8 }),
    ];
    const pool = shares.mask;
    const { domains, runs } = describeCapacity(rig.topology, node, holding);
    const common = { attempt: 1, domain: 0, sensitive: true, occupancyBytes: MiB };
    assert.deepEqual(runs, [
      { ...common, runId: 'own', ways: 3, hold: 'partition', mask: own.mask },
      { ...common, runId: 'waits', ways: 2, hold: 'pool', mask: pool },
      { ...common, runId: 'shares', ways: 1, hold: 'pool', mask: pool, sensitive: false },
      { ...common, runId: 'lost', ways: 1, domain: 8, hold: 'counted', mask: null, occupancyBytes: null },
    ]);
    assert.deepEqual(
      domains.map(({ masks, freeWays, minWays, occupancyBytes }) => ({
        masks,
        freeWays,
        minWays,
        occupancyBytes,
      })),
      [
        {
          masks: { reserve: 0xc00, foreign: 1, io: 0xc00, pool },
          freeWays: 3,
          minWays: 1,
          occupancyBytes: 3 * MiB,
        },
        {
          masks: { reserve: 0xc00, foreign: 0, io: 0xc00, pool: 0 },
          freeWays: 10,
          minWays: 1,
          occupancyBytes: null,
        },
      ],
    );
  });
}

test('tells of a node without cache allocation that its runs are counted', async () => {
  const topology = { domains: [{ id: 0, cpus: [0], ways: 8, wayBytes: 1 }] };
  await using partitions = new UnenforcedPartitions({ reason: 'no CAT here' }, { topology });
  await partitions.acquire({ runId: 'r', attempt: 1, domain: 0, ways: 3, sensitive: true });
  const { domains, runs } = describeCapacity(topology, partitions, [dispatchOf({ runId: 'r', ways: 3 })]);
  assert.deepEqual([runs[0]?.hold, runs[0]?.mask, domains[0]?.freeWays], ['counted', null, 5]);
  assert.deepEqual(domains[0]?.masks, { reserve: 0, foreign: 0, io: 0, pool: 0 });
});

/** The master and a node count the ways that are lent alike: it neither overbooks nor wastes. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Lease, Partitions } from '../../../node/llc/partitions/types.ts';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import { type Holder, offersOf, place } from '../../../node/master/placement.ts';
import { describeCapacity } from '../../../node/worker/capacity.ts';
import type { Dispatch } from '../../../protocols/schema/attempt.ts';
import { dispatchOf, specOf } from '../../builders/nouns.ts';
import { freeWaysOf, Rig } from '../llc/partitions-rig.ts';

interface Held {
  readonly lease: Lease;
  readonly dispatch: Dispatch;
  readonly holder: Holder;
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ ways: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.constant({ ways: 1, sensitive: false }) },
  { weight: 3, arbitrary: fc.record({ end: fc.nat(20) }) },
);

/** Plenty of CPUs: only ways shall decide. */
const CPUS = Array.from({ length: 100 }, (_, cpu) => cpu);

const NODES: readonly [string, (rig: Rig) => Promise<Partitions>][] = [
  ['on resctrl', (rig) => rig.node()],
  [
    'without resctrl',
    async (rig) => {
      rig.fs.unmount();
      return rig.node();
    },
  ],
  [
    'that only counts',
    async (rig) =>
      new UnenforcedPartitions({ reason: 'no CAT here', reserveWays: 2 }, { topology: rig.topology }),
  ],
];

for (const [name, make] of NODES) {
  describe(`a node ${name}`, () => {
    test('takes what the master places there, and the master places what it would take', async () => {
      const property = fc.asyncProperty(
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.constantFrom(3, 5, 16),
        fc.constantFrom(1, 2),
        async (steps, closids, minCbmBits) => {
          await using rig = new Rig({ machine: { closids, minCbmBits } });
          await using partitions = await make(rig);
          const held: Held[] = [];
          for (const [index, todo] of steps.entries()) {
            if ('end' in todo) {
              const [over] = held.splice(todo.end % Math.max(1, held.length), 1);
              if (over !== undefined) await partitions.release(over.lease);
              continue;
            }
            const { domains, runs } = describeCapacity(
              rig.topology,
              partitions,
              held.map(({ dispatch }) => dispatch),
            );
            const [domain] = domains;
            assert.ok(domain);
            const notice = { node: 'n', domains: [{ ...domain, cpus: CPUS }], runs, takesRuns: true };
            const [view] = offersOf(
              [notice],
              held.map(({ holder }) => holder),
            );
            assert.ok(view);
            assert.equal(view.freeWays, freeWaysOf(partitions, 0), 'free ways');
            const demand = specOf(todo);
            const placed = place(demand, [view]);
            const ways = placed?.ways ?? Math.max(todo.ways, domain.minWays ?? 1);
            const sensitive = 'sensitive' in todo ? todo.sensitive : true;
            const request = { runId: `r${index}`, attempt: 1, domain: 0, ways, sensitive };
            const answer = await rig.drive(partitions.acquire(request));
            // A domain without any way left is as good as none: the master asks for no more ways than it has.
            if (placed === null && ways > view.ways) continue;
            const told = `${JSON.stringify(request)} with ${JSON.stringify(view)}`;
            assert.ok(answer.ok || placed === null, `overbooked: ${told}`);
            // Where a run is lent two ways at least, a single way is not told to be free; a pool could still grow by
            // it.
            const mayWaste = !sensitive && minCbmBits > 1;
            assert.ok(placed !== null || !answer.ok || mayWaste, `wasted: ${told}`);
            if (answer.ok && placed === null) await partitions.release(answer.value);
            if (placed === null) continue;
            if (!answer.ok) continue;
            const holder = { node: 'n', domain: 0, ways, sensitive };
            held.push({ lease: answer.value, dispatch: dispatchOf(request), holder });
          }
          for (const { lease } of held) await partitions.release(lease);
          assert.equal(freeWaysOf(partitions, 0), 10);
        },
      );
      await fc.assert(property, { numRuns: 40 });
    });
  });
}

test('sixteen runs that gain nothing share four ways, as the master counts', async () => {
  await using rig = new Rig();
  const node = await rig.node();
  const held: Holder[] = [];
  const dispatches: Dispatch[] = [];
  const look = () => {
    const { domains, runs } = describeCapacity(rig.topology, node, dispatches);
    const notice = {
      node: 'n',
      domains: domains.slice(0, 1).map((domain) => ({ ...domain, cpus: CPUS })),
      runs,
      takesRuns: true,
    };
    return offersOf([notice], held);
  };
  const demand = specOf({ ways: 1, sensitive: false });
  for (let run = 0; run < 16; run++) {
    const placed = place(demand, look());
    assert.ok(placed, `run ${run}`);
    const request = { runId: `r${run}`, attempt: 1, domain: 0, ways: placed.ways, sensitive: false };
    assert.ok((await node.acquire(request)).ok);
    held.push({ ...placed, sensitive: false });
    dispatches.push(dispatchOf(request));
    assert.equal(look()[0]?.freeWays, 10 - Math.ceil((run + 1) / 4));
  }
  assert.equal(place(demand, look()), null, 'the pool is full');
  assert.equal(
    (await node.acquire({ ways: 1, sensitive: false, runId: 'x', attempt: 1, domain: 0 })).ok,
    false,
  );
  assert.equal(place(specOf({ ways: 6 }), look())?.ways, 6, 'the other ways are lent');
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type DomainOffer,
  freeWaysOf,
  holderOf,
  offersOf,
  place,
  planQueue,
  typicalDomain,
} from '../../../node/master/placement.ts';
import { createRun } from '../../../node/state/run-lifecycle.ts';
import { domainOf, noticeOf, shareOf, specOf } from '../../builders/nouns.ts';
import { spec } from '../state/fixtures.ts';

function domain(node: string, freeWays: number, changes: Partial<DomainOffer> = {}): DomainOffer {
  return { node, domain: 0, ways: 16, wayBytes: 1, freeWays, cpus: 4, freeCpus: 4, ...changes };
}
const anywhere = (ways: number) => specOf({ ways });
const queuedRun = (id: string, ways: number, createdAtMs = 0): ReturnType<typeof createRun> =>
  createRun(spec(id, { ways, createdAtMs }), null);

describe('place', () => {
  test('best fit: the domain that keeps the fewest ways free', () => {
    assert.equal(place(anywhere(4), [domain('a', 16), domain('b', 5), domain('c', 3)])?.node, 'b');
  });
  test('nothing without ways or without a CPU', () => {
    assert.equal(place(anywhere(4), [domain('a', 3)]), null);
    assert.equal(place(anywhere(4), [domain('a', 16, { freeCpus: 0 })]), null);
  });
  test('more ways than any domain has: all of one, not for ever waiting', () => {
    assert.deepEqual(place(anywhere(40), [domain('a', 16)]), { node: 'a', domain: 0, ways: 16 });
  });
  test('a tied run goes only there', () => {
    const pinnedTo = { node: 'b', domain: 1 };
    const domains = [domain('a', 16), domain('b', 16), domain('b', 2, { domain: 1 })];
    assert.equal(place(specOf({ ways: 4, pinnedTo }), domains), null);
    assert.equal(place(specOf({ ways: 2, pinnedTo }), domains)?.domain, 1);
  });
  test('equal fits: more free CPUs, then the name', () => {
    assert.equal(place(anywhere(1), [domain('b', 8), domain('a', 8)])?.node, 'a');
    assert.equal(place(anywhere(1), [domain('b', 8, { freeCpus: 9 }), domain('a', 8)])?.node, 'b');
  });
});

describe('a node that lies about its cache', () => {
  const liar = Array.from({ length: 1024 }, (_, id) =>
    domain('liar', 64, { domain: id, ways: 64, wayBytes: 2 ** 40, cpus: 8192, freeCpus: 8192 }),
  );
  const honest = ['a', 'b', 'c'].map((node) => domain(node, 16));

  test('does not make the cluster generous with the ways of others', () => {
    assert.equal(freeWaysOf(honest, 'a'), 48);
    assert.ok(freeWaysOf([...honest, ...liar], 'a') <= 48 + 4 * 16);
    assert.ok(
      freeWaysOf([...honest.slice(0, 1), ...liar], 'a') <= 16 + 4 * 16,
      'one honest node is as good as three',
    );
  });

  test('does not make the master mean with its own ways by saying that it has next to none', () => {
    assert.equal(freeWaysOf([...honest.slice(0, 1), domain('liar', 1, { ways: 1 })], 'a'), 17);
  });

  test('has no ways of others chosen for its cache', () => {
    assert.equal(typicalDomain([...liar, ...honest], 'a')?.node, 'a');
    assert.equal(
      typicalDomain([...liar, ...honest.slice(0, 1)], 'a')?.node,
      'a',
      'of two the master is believed',
    );
    assert.equal(typicalDomain([], 'a'), undefined);
  });

  test('of equals without the master the larger cache is typical, as of unequal nodes that speak the truth', () => {
    const unequal = [domain('b', 8, { ways: 8 }), domain('c', 20, { ways: 20 })];
    assert.equal(typicalDomain(unequal, 'a')?.ways, 20);
  });

  test('costs as much time as it has domains, not the square of it', () => {
    const domains = Array.from({ length: 1024 }, (_, id) => domainOf({ id }));
    let looked = 0;
    const runs = Array.from({ length: 8192 }, (_, index) => {
      const share = shareOf({ runId: `r${index}` });
      return Object.defineProperty({ ...share }, 'domain', {
        get: () => {
          looked += 1;
          return index % 1024;
        },
      });
    });
    assert.equal(offersOf([noticeOf('liar', { domains, runs })], []).length, 1024);
    assert.ok(looked <= 4 * 8192, `looked ${looked} times at 8192 runs`);
  });
});

describe('planQueue', () => {
  const options = { nowMs: 20_000, starvationMs: 10_000 };
  test('a node is given no more runs at once than it has credit for', () => {
    const runs = Array.from({ length: 6 }, (_, index) => queuedRun(`r${index}`, 1));
    const credit = (node: string): number => ({ a: 2, b: 0 })[node] ?? 9;
    const domains = ['a', 'b', 'c'].map((node) => domain(node, node === 'c' ? 16 : 8));
    const plan = planQueue(runs, domains, { ...options, credit });
    assert.deepEqual(plan.map(({ placement }) => placement.node).sort(), ['a', 'a', 'c', 'c', 'c', 'c']);
  });
  test('a small run overtakes a large one that waits shortly', () => {
    const plan = planQueue(
      [queuedRun('large', 16, 15_000), queuedRun('small', 2, 16_000)],
      [domain('a', 8)],
      options,
    );
    assert.deepEqual(
      plan.map((step) => step.run.spec.id),
      ['small'],
    );
  });
  test('but not one that starves', () => {
    const plan = planQueue(
      [queuedRun('large', 16, 1_000), queuedRun('small', 2, 16_000)],
      [domain('a', 8)],
      options,
    );
    assert.deepEqual(plan, []);
  });
  test('a starving run that is tied to a domain keeps only that one free', () => {
    const tied = createRun(
      spec('tied', { ways: 16, pinnedTo: { node: 'a', domain: 0 }, createdAtMs: 0 }),
      null,
    );
    const plan = planQueue([tied, queuedRun('small', 2, 16_000)], [domain('a', 8), domain('b', 8)], options);
    assert.deepEqual(
      plan.map((step) => step.placement.node),
      ['b'],
    );
  });
});

describe('a run that is measured in a partition', () => {
  const options = { nowMs: 20_000, starvationMs: 10_000 };
  const measured = (createdAtMs: number) =>
    createRun(
      spec('measured', {
        ways: 3,
        pinnedTo: { node: 'a', domain: 0 },
        measure: { profiler: 'resctrl', ways: 3, wayBytes: 1 },
        purpose: 'benchmark',
        createdAtMs,
      }),
      null,
    );
  const geometry = [0, 1].map((id) => domainOf({ id, ways: 12, freeWays: 12, wayBytes: 1, cpus: [0, 1, 2] }));
  const view = (held: Parameters<typeof offersOf>[1], runs: Parameters<typeof offersOf>[0][0]['runs'] = []) =>
    offersOf([{ node: 'a', domains: geometry, runs, takesRuns: true }], held);
  const plan = (queue: Parameters<typeof planQueue>[0], domains: readonly DomainOffer[]) =>
    planQueue(queue, domains, options).map(({ run, placement }) => `${run.spec.id}@${placement.domain}`);

  test('has its domain for itself, with the ways that are measured', () => {
    const [placed] = planQueue([measured(19_000)], view([]), options);
    assert.deepEqual(placed?.placement, { node: 'a', domain: 0, ways: 3 });
    const queue = [measured(19_000), queuedRun('small', 1, 19_500)];
    assert.deepEqual(plan(queue, view([])), ['measured@0', 'small@1']);
    const shares = createRun(spec('shares', { ways: 1, sensitive: false }), null);
    const held = [holderOf(measured(0).spec, { node: 'a', domain: 0, ways: 3 })];
    assert.deepEqual(plan([queuedRun('small', 1), shares], view(held).slice(0, 1)), []);
  });
  test('waits while anybody is there, in the tables or by the word of the node', () => {
    const held = [{ node: 'a', domain: 0, ways: 1 }];
    assert.deepEqual(plan([measured(19_000)], view(held)), []);
    const dying = [shareOf({ runId: 'dying' })];
    assert.deepEqual(plan([measured(19_000)], view([], dying)), []);
    assert.deepEqual(plan([measured(19_000)], view([{ node: 'a', domain: 1, ways: 1 }])), ['measured@0']);
  });
  test('is overtaken for a while, and then the domain runs empty for it', () => {
    const domains = view([{ node: 'a', domain: 0, ways: 1 }]).slice(0, 1);
    assert.deepEqual(plan([measured(19_000), queuedRun('small', 1, 19_500)], domains), ['small@0']);
    assert.deepEqual(plan([measured(1_000), queuedRun('small', 1, 19_500)], domains), []);
  });
  test('starves nobody: who has waited longer comes before the next measurement', () => {
    assert.deepEqual(plan([queuedRun('small', 1, 18_000), measured(19_000)], view([]).slice(0, 1)), [
      'small@0',
    ]);
  });
  test('by simulation disturbs nobody, and nobody disturbs it', () => {
    const { spec: base } = measured(19_000);
    const simulated = createRun(
      { ...base, ways: 1, measure: { profiler: 'cachegrind', ways: 3, wayBytes: 1 } },
      null,
    );
    const domains = view([{ node: 'a', domain: 0, ways: 1 }]).slice(0, 1);
    assert.deepEqual(plan([simulated, queuedRun('small', 1, 19_500)], domains), ['measured@0', 'small@0']);
  });
});

test('ways that a node keeps for itself are never lent', () => {
  const domains = [domainOf({ ways: 16, freeWays: 10 })];
  const runs = [shareOf({ ways: 4 })];
  const [view] = offersOf(
    [{ node: 'a', domains, runs, takesRuns: true }],
    [{ node: 'a', domain: 0, ways: 4 }],
  );
  assert.deepEqual([view?.ways, view?.freeWays], [14, 10]);
});

test('a node that takes no runs, as with a full disk, is left out, and what there is of its cache is still known', () => {
  const domains = [domainOf({ ways: 16, freeWays: 16 })];
  const offers = ['a', 'b'].map((node) => ({ node, domains, runs: [], takesRuns: node === 'b' }));
  for (const sensitive of [true, false]) {
    const demand = { ways: 1, pinnedTo: null, measure: null, sensitive };
    assert.equal(place(demand, offersOf(offers, []))?.node, 'b');
    assert.equal(place(demand, offersOf(offers.slice(0, 1), [])), null);
  }
  assert.equal(offersOf(offers, [])[0]?.ways, 16);
});

test('no plan lends a way or a CPU twice', () => {
  const demands = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 30 });
  const held = fc.array(
    fc.record({
      node: fc.constantFrom('a', 'b'),
      domain: fc.constantFrom(0, 1),
      ways: fc.integer({ min: 1, max: 6 }),
    }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(demands, held, (ways, lent) => {
      const geometry = [0, 1].map((id) =>
        domainOf({ id, ways: 12, freeWays: 12, wayBytes: 1, cpus: [0, 1, 2] }),
      );
      const domains = offersOf(
        [
          { node: 'a', domains: geometry, runs: [], takesRuns: true },
          { node: 'b', domains: geometry, runs: [], takesRuns: true },
        ],
        lent,
      );
      const plan = planQueue(
        ways.map((count, i) => queuedRun(`r${i}`, count, i)),
        domains,
        { nowMs: 5, starvationMs: 10 },
      );
      for (const view of domains) {
        const here = plan.filter(
          ({ placement }) => placement.node === view.node && placement.domain === view.domain,
        );
        const taken = here.reduce((sum, step) => sum + step.placement.ways, 0);
        assert.ok(taken <= view.freeWays, `${taken} of ${view.freeWays} ways`);
        assert.ok(here.length <= view.freeCpus);
      }
    }),
  );
});

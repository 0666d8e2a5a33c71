/** What every implementation of `Partitions` promises the worker. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fileNote } from '../../../node/llc/partitions/root-group.ts';
import type { Lease, PartitionRequest, Partitions } from '../../../node/llc/partitions/types.ts';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import { ResctrlError, type ResctrlFs } from '../../../node/llc/resctrl/port.ts';
import { KernelDirectory } from '../../resctrl/kernel-directory.ts';
import { freeWaysOf, lookAgain, Rig, take, watched } from './partitions-rig.ts';

interface Implementation {
  readonly name: string;
  readonly open: (ground: Ground) => Promise<Partitions>;
  /** What a run of its own and one that shares become there. */
  readonly own: Pick<Lease, 'hold' | 'enforcement'>;
  readonly shared: Pick<Lease, 'hold' | 'enforcement'>;
  /** Why it isn't enforced. */
  readonly why: RegExp | null;
}

const COUNTED = { hold: 'counted', enforcement: 'unenforced' } as const;
const HELD = {
  own: { hold: 'partition', enforcement: 'enforced' },
  shared: { hold: 'pool', enforcement: 'shared' },
  why: null,
} as const;

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: 'on the kernel on paper', open: ({ rig }) => rig.node(), ...HELD },
  {
    name: 'on the real adapter',
    open: async ({ rig, stack }) => rig.node('node-a', stack.use(await KernelDirectory.create(rig.fs))),
    ...HELD,
  },
  {
    name: 'emulated',
    open: ({ rig }) => rig.node('node-a', watched(rig), { emulated: true }),
    own: { hold: 'partition', enforcement: 'unenforced' },
    shared: { hold: 'pool', enforcement: 'unenforced' },
    why: /^emulated: with cache allocation it would be enforced$/,
  },
  {
    name: 'while resctrl is not mounted',
    open: ({ rig }) => {
      rig.fs.unmount();
      return rig.node();
    },
    own: COUNTED,
    shared: COUNTED,
    why: /^resctrl is not mounted$/,
  },
  {
    name: 'unenforced',
    open: async ({ rig }) => {
      const { topology } = rig;
      const onChange = () => {
        rig.changes++;
      };
      return new UnenforcedPartitions({ reason: 'no CAT here', reserveWays: 2 }, { topology, onChange });
    },
    own: COUNTED,
    shared: COUNTED,
    why: /^no CAT here$/,
  },
];

interface Ground {
  readonly rig: Rig;
  /** Ends after the partitions. */
  readonly stack: AsyncDisposableStack;
}

for (const { name, open, own, shared, why } of IMPLEMENTATIONS) {
  describe(`partitions ${name}`, () => {
    const request = { runId: 'r', attempt: 1, domain: 0, ways: 4, sensitive: true };
    const check = (title: string, body: (partitions: Partitions, rig: Rig) => Promise<void>) =>
      test(title, async () => {
        await using stack = new AsyncDisposableStack();
        const rig = stack.use(new Rig());
        const partitions = stack.use(await open({ rig, stack }));
        await partitions.start();
        await body(partitions, rig);
        await partitions.stop();
        assert.deepEqual(await rig.groups(), [], 'nothing is left in the kernel');
      });
    const lend = async (partitions: Partitions, change: Partial<PartitionRequest> = {}): Promise<Lease> => {
      const answer = await partitions.acquire({ ...request, ...change });
      assert.ok(answer.ok, answer.ok ? '' : answer.error.message);
      return answer.value;
    };

    check('lend ways, count them, and take them back once', async (partitions, rig) => {
      assert.equal(freeWaysOf(partitions, 0), 10);
      const lease = await lend(partitions);
      assert.deepEqual([lease.runId, lease.attempt, lease.domain, lease.ways], ['r', 1, 0, 4]);
      assert.deepEqual({ hold: lease.hold, enforcement: lease.enforcement }, own);
      if (why === null) assert.equal(lease.reason, null);
      else assert.match(lease.reason ?? '', why);
      assert.equal(lease.hold === 'counted', lease.group === null);
      assert.equal(lease.hold === 'counted', lease.mask === null);
      assert.equal(freeWaysOf(partitions, 0), 6);
      assert.equal(freeWaysOf(partitions, 8), 10);
      const standing = await partitions.enter(lease, rig.processes.fork());
      assert.deepEqual(standing, { enforcement: lease.enforcement, reason: lease.reason });
      assert.deepEqual({ enforcement: lease.enforcement, reason: lease.reason }, standing);
      assert.deepEqual(lease.recorded, standing);
      assert.equal(typeof (await partitions.observe(lease)).samples, 'number');
      await partitions.release(lease);
      await partitions.release(lease);
      assert.equal(freeWaysOf(partitions, 0), 10);
      assert.deepEqual(lease.recorded, standing, 'what was recorded stays');
    });

    check('tell of each lease how its ways are held', async (partitions) => {
      const leases = [
        await lend(partitions),
        await lend(partitions, { runId: 's', ways: 1, sensitive: false }),
      ];
      assert.deepEqual(
        leases.map(({ hold, enforcement }) => ({ hold, enforcement })),
        [own, shared],
      );
      const [here, there] = partitions.view().domains;
      assert.deepEqual(
        here?.leases.map(({ occupancyBytes, ...told }) => told),
        leases.map(({ runId, attempt, ways, hold, mask }) => ({ runId, attempt, ways, hold, mask })),
      );
      assert.equal(here?.freeWays, 5);
      assert.equal(here?.masks.pool, leases[1]?.mask ?? 0);
      assert.equal((here?.masks.pool ?? 0) & (leases[0]?.mask ?? 0), 0, 'partitions are off the pool');
      assert.deepEqual([there?.leases, there?.masks.pool, there?.freeWays], [[], 0, 10]);
      for (const domain of [here, there]) assert.deepEqual([domain?.ways, domain?.wayBytes], [12, 1024 ** 2]);
    });

    check('have four runs that gain nothing share a way, and sixteen a domain', async (partitions) => {
      const leases: Lease[] = [];
      const free: number[] = [];
      for (let run = 0; run < 16; run++) {
        leases.push(await lend(partitions, { runId: `s${run}`, ways: 1, sensitive: false }));
        free.push(freeWaysOf(partitions, 0));
      }
      assert.deepEqual(free, [9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7, 6, 6, 6, 6]);
      const more = await partitions.acquire({ ...request, runId: 'more', ways: 1, sensitive: false });
      assert.equal(more.ok ? null : more.error.code, 'FULL');
      for (const lease of leases) await partitions.release(lease);
      assert.equal(freeWaysOf(partitions, 0), 10);
    });

    check('refuse what they do not have', async (partitions) => {
      const code = async (change: object) => {
        const answer = await partitions.acquire({ ...request, ...change });
        return answer.ok ? null : answer.error.code;
      };
      assert.equal(await code({ domain: 3 }), 'UNKNOWN_DOMAIN');
      assert.equal(await code({ ways: 0 }), 'BAD_WAYS');
      assert.equal(await code({ ways: 11 }), 'FULL');
      assert.equal(await code({ ways: 10 }), null);
      assert.equal(await code({ ways: 1, runId: 's' }), 'FULL');
      await partitions.stop();
      await partitions.stop();
      assert.equal(await code({ ways: 1, runId: 't' }), 'STOPPING');
      assert.deepEqual([freeWaysOf(partitions, 0), partitions.view().state], [0, 'stopped']);
    });

    check('hold two attempts that bear one number', async (partitions) => {
      const [a, b] = await Promise.all([lend(partitions), lend(partitions)]);
      assert.equal(freeWaysOf(partitions, 0), 2);
      await partitions.release(a);
      assert.equal(freeWaysOf(partitions, 0), 6);
      await partitions.release(b);
      assert.equal(freeWaysOf(partitions, 0), 10);
    });

    check('lend no way twice, however many ask and give back at once', async (partitions, rig) => {
      const leases: Lease[] = [];
      for (let round = 0; round < 3; round++) {
        const back = leases.splice(0, 3).map((lease) => partitions.release(lease));
        const asked = Array.from({ length: 8 }, (_, index) =>
          partitions.acquire({ ...request, runId: `r${round}-${index}`, ways: 2 }),
        );
        await Promise.all(back);
        for (const answer of await Promise.all(asked)) if (answer.ok) leases.push(answer.value);
        assert.equal(leases.length, 5);
        await Promise.all(leases.map((lease) => partitions.enter(lease, rig.processes.fork())));
        const masks = leases.map(({ mask }) => mask ?? 0);
        for (const [index, mask] of masks.entries())
          for (const other of masks.slice(index + 1)) assert.equal(mask & other, 0);
        assert.deepEqual(new Set(leases.map(({ enforcement }) => enforcement)), new Set([own.enforcement]));
      }
      await Promise.all(leases.map((lease) => partitions.release(lease)));
      assert.equal(freeWaysOf(partitions, 0), 10);
    });

    check('tell when something has changed', async (partitions, rig) => {
      const before = rig.changes;
      const lease = await lend(partitions);
      assert.equal(rig.changes, before + 1);
      await partitions.release(lease);
      assert.equal(rig.changes, before + 2);
      await partitions.release(lease);
      assert.equal(rig.changes, before + 2);
    });

    check('stop with runs in them, and while some are asked for', async (partitions, rig) => {
      const lease = await lend(partitions);
      await partitions.enter(lease, rig.processes.fork());
      const late = partitions.acquire({ ...request, runId: 'late', ways: 2 });
      const stopped = partitions.stop();
      const answer = await late;
      if (!answer.ok) assert.equal(answer.error.code, 'STOPPING');
      await stopped;
      assert.equal(freeWaysOf(partitions, 0), 0);
      await partitions.release(lease);
    });
  });
}

type Action =
  | { readonly take: number; readonly domain: number; readonly sensitive: boolean }
  | { readonly release: number }
  | { readonly foreign: number | null }
  | { readonly vanish: number }
  | { readonly maintain: true };

describe('PartitionManager', () => {
  test('agrees with the kernel after whatever happens', async () => {
    const action = fc.oneof<fc.MaybeWeightedArbitrary<Action>[]>(
      {
        weight: 5,
        arbitrary: fc.record({
          take: fc.integer({ min: 1, max: 5 }),
          domain: fc.constantFrom(0, 8),
          sensitive: fc.boolean(),
        }),
      },
      { weight: 4, arbitrary: fc.record({ release: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ foreign: fc.constantFrom(0x1, 0x18, 0xfff, null) }) },
      { weight: 1, arbitrary: fc.record({ vanish: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.constant({ maintain: true as const }) },
    );
    const property = fc.asyncProperty(
      fc.array(action, { maxLength: 30, size: 'max' }),
      fc.constantFrom(3, 5, 16),
      async (actions, closids) => {
        await using rig = new Rig({ machine: { closids } });
        const node = await rig.node();
        const held: Lease[] = [];
        for (const step of actions) {
          if ('take' in step) {
            const { take: ways, domain, sensitive } = step;
            const answer = await node.acquire({
              runId: `r${held.length}`,
              attempt: 1,
              domain,
              ways,
              sensitive,
            });
            if (answer.ok) {
              held.push(answer.value);
              await node.enter(answer.value, rig.processes.fork());
            }
          } else if ('release' in step) {
            const [lease] = held.splice(step.release % Math.max(1, held.length), 1);
            if (lease !== undefined) await node.release(lease);
          } else if ('foreign' in step) {
            if (step.foreign === null) await rig.fs.rmdir('theirs').catch(() => {});
            else {
              await rig.fs.mkdir('theirs').catch(() => {});
              await rig.fs.write('theirs/schemata', `L3:0=${step.foreign.toString(16)}\n`).catch(() => {});
            }
          } else if ('vanish' in step) {
            const ours = (await rig.groups()).filter((name) => name.startsWith('fsched-'));
            const victim = ours[step.vanish % Math.max(1, ours.length)];
            if (victim !== undefined) await rig.fs.rmdir(victim);
          } else await node.maintain();
          await node.maintain();
          await agree(rig, node, held);
        }
      },
    );
    // One that was found: root left the reserve of a domain for a longer run, with two groups still standing there.
    const idleDomain: Action[] = [
      { foreign: 0x18 },
      { take: 1, domain: 0, sensitive: false },
      { take: 1, domain: 8, sensitive: false },
      { take: 1, domain: 8, sensitive: true },
      { release: 0 },
    ];
    await fc.assert(property, { numRuns: 60, examples: [[idleDomain, 5]] });
  });

  test('takes back what it wrote when the kernel refuses in between', async () => {
    await using rig = new Rig();
    let refuse = false;
    const node = await rig.node(
      'node-a',
      faulty(watched(rig), (path, text) => refuse && path.includes('late') && text.startsWith('L3')),
    );
    const held: Lease[] = [];
    for (const ways of [3, 2, 3, 2]) held.push(await take(rig, node, { ways }));
    for (const index of [0, 2]) await node.release(held[index] as Lease);
    const before = [held[1]?.mask, held[3]?.mask];
    refuse = true;
    const late = await take(rig, node, { runId: 'late', ways: 6 });
    assert.equal(late.enforcement, 'unenforced');
    assert.match(late.reason ?? '', /EINVAL/);
    assert.deepEqual([held[1]?.mask, held[3]?.mask], before);
    for (const lease of [held[1], held[3]])
      assert.equal((await lookAgain(node, lease as Lease)).enforcement, 'enforced');
    assert.equal((await rig.groups()).length, 2);
  });

  test('says who took its group, at whatever step it went', async () => {
    for (const step of ['write', 'read'] as const) {
      await using rig = new Rig();
      const fs = watched(rig);
      let armed = false;
      const vanish = async (path: string) => {
        if (!armed || !path.endsWith('/tasks')) return;
        armed = false;
        await rig.fs.rmdir(path.slice(0, -'/tasks'.length));
      };
      const node = await rig.node('node-a', {
        ...fs,
        read: async (path) => {
          if (step === 'read') await vanish(path);
          return fs.read(path);
        },
        write: async (path, text) => {
          if (step === 'write') await vanish(path);
          return fs.write(path, text);
        },
      });
      const lease = await take(rig, node);
      armed = true;
      const { enforcement, reason } = await node.enter(lease, rig.processes.fork());
      assert.deepEqual([enforcement, armed], ['unenforced', false]);
      assert.match(reason ?? '', /^another program removed fsched-/);
      assert.equal(lease.group, null);
    }
  });

  test('tries again to give back what the kernel did not take', async () => {
    await using rig = new Rig();
    let refuse = true;
    const fs = watched(rig);
    const node = await rig.node('node-a', {
      ...fs,
      rmdir: (path) => (refuse ? Promise.reject(new ResctrlError('EPERM', 'rmdir', null)) : fs.rmdir(path)),
    });
    const lease = await take(rig, node);
    await node.release(lease);
    assert.equal((await rig.groups()).length, 1);
    refuse = false;
    await node.maintain();
    assert.deepEqual(await rig.groups(), []);
    assert.equal(freeWaysOf(node, 0), 10);
  });

  test('counts a run, and says why, while another program does not let go of the lock', async () => {
    await using rig = new Rig();
    let isHeldElsewhere = false;
    const fs = watched(rig);
    const node = await rig.node('node-a', {
      ...fs,
      locked: async (work, refused) =>
        isHeldElsewhere && refused ? refused(new Error('held elsewhere')) : fs.locked(work, refused),
    });
    const held = await take(rig, node);
    isHeldElsewhere = true;
    const lease = await take(rig, node, { ways: 3 });
    assert.deepEqual([lease.hold, lease.reason], ['counted', 'held elsewhere']);
    assert.equal(freeWaysOf(node, 0), 5);
    assert.deepEqual(await node.enter(held, rig.processes.fork()), {
      enforcement: 'unenforced',
      reason: 'it could not be read back: held elsewhere',
    });
    await node.release(held);
    assert.equal((await rig.groups()).length, 1, 'nobody could remove it');
    isHeldElsewhere = false;
    await node.maintain();
    assert.deepEqual([await rig.groups(), freeWaysOf(node, 0)], [[], 7]);
  });

  test('keeps what was done when the lock is found to be lost afterwards', async () => {
    await using rig = new Rig();
    let isLost = false;
    const fs = watched(rig);
    const node = await rig.node('node-a', {
      ...fs,
      async locked(work, refused) {
        const value = await fs.locked(work, refused);
        if (isLost) throw new Error('lost');
        return value;
      },
    });
    isLost = true;
    const lease = await take(rig, node);
    assert.deepEqual([lease.hold, lease.enforcement], ['partition', 'enforced']);
    assert.ok(rig.log.some(({ level, message }) => level === 'warn' && /lock .* was lost/.test(message)));
    await node.release(lease);
    assert.deepEqual(await rig.groups(), []);
  });

  test('gives root back what somebody gave it while nothing was lent', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    await rig.fs.write('schemata', 'L3:0=ff0\n');
    const lease = await take(rig, node);
    assert.equal(await rig.mask(''), 0xc00);
    await node.release(lease);
    assert.equal(await rig.mask(''), 0xff0);
  });

  test('keeps its note of root in a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-note-'));
    const note = fileNote(join(directory, 'root-masks'));
    assert.equal(await note.load(), null);
    await note.save('0=fff;8=ff0');
    assert.equal((await note.load())?.trim(), '0=fff;8=ff0');
    await note.save(null);
    assert.equal(await note.load(), null);
    await rm(directory, { recursive: true });
  });
});

/** The kernel's groups are exactly those of the leases, with the masks that these tell; no two share a way. */
async function agree(rig: Rig, node: Partitions, held: readonly Lease[]): Promise<void> {
  const ours = (await rig.groups()).filter((name) => name.startsWith('fsched-'));
  const told = new Set(held.map(({ group }) => group).filter((group) => group !== null));
  assert.deepEqual(ours, [...told].sort(), 'groups');
  const theirs = (await rig.groups()).includes('theirs') ? await rig.mask('theirs') : 0;
  const taken = new Map<number, number>();
  for (const lease of held) {
    assert.equal(lease.group === null, lease.enforcement === 'unenforced', `${lease.reason}`);
    if (lease.group === null) continue;
    assert.equal(await rig.mask(lease.group, lease.domain), lease.mask, 'mask');
    if (lease.enforcement !== 'enforced') continue;
    const mask = lease.mask ?? 0;
    assert.equal(mask & (taken.get(lease.domain) ?? 0), 0, 'a way is lent twice');
    if (theirs !== 0xfff && lease.domain === 0) assert.equal(mask & theirs, 0, 'a way of others');
    taken.set(lease.domain, mask | (taken.get(lease.domain) ?? 0));
    assert.equal(mask & (await rig.mask('', lease.domain)), 0, 'root keeps off');
  }
  for (const { masks, id, freeWays } of node.view().domains) {
    assert.equal((masks.reserve | masks.foreign) & (taken.get(id) ?? 0), 0, 'what is not lent is not taken');
    assert.ok(freeWays <= 10);
  }
}

function faulty(fs: ResctrlFs, refuses: (path: string, text: string) => boolean): ResctrlFs {
  return {
    ...fs,
    write: (path, text) =>
      refuses(path, text)
        ? Promise.reject(new ResctrlError('EINVAL', `write ${path}`, null))
        : fs.write(path, text),
  };
}

/** What every implementation of `Partitions` promises the worker. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fileNote } from '../../../node/llc/partitions/root-group.ts';
import type { Lease, Partitions } from '../../../node/llc/partitions/types.ts';
import { UnenforcedPartitions } from '../../../node/llc/partitions/unenforced.ts';
import { ResctrlError, type ResctrlFs } from '../../../node/llc/resctrl/port.ts';
import { Rig, take, watched } from './partitions-rig.ts';

const IMPLEMENTATIONS: readonly [string, (rig: Rig) => Promise<Partitions>][] = [
  ['PartitionManager', (rig) => rig.node()],
  [
    'PartitionManager without resctrl',
    (rig) => {
      rig.fs.unmount();
      return rig.node();
    },
  ],
  [
    'UnenforcedPartitions',
    async (rig) =>
      new UnenforcedPartitions({ reason: 'no CAT here', reserveWays: 2 }, { topology: rig.topology }),
  ],
];

for (const [name, make] of IMPLEMENTATIONS) {
  describe(`${name} as Partitions`, () => {
    const request = { runId: 'r', attempt: 1, domain: 0, ways: 4, sensitive: true };

    test('lends ways, counts them, and takes them back once', async () => {
      await using rig = new Rig();
      await using partitions = await make(rig);
      await partitions.start();
      assert.equal(partitions.freeWays(0), 10);
      const answer = await partitions.acquire(request);
      assert.ok(answer.ok);
      const lease = answer.value;
      assert.deepEqual([lease.runId, lease.attempt, lease.domain, lease.ways], ['r', 1, 0, 4]);
      assert.equal(lease.enforcement === 'enforced', lease.reason === null);
      assert.equal(lease.enforcement === 'unenforced', lease.group === null);
      assert.equal(partitions.freeWays(0), 6);
      assert.equal(partitions.freeWays(8), 10);
      assert.equal(partitions.view().domains[0]?.freeWays, 6);
      const standing = await partitions.enter(lease, rig.processes.fork());
      assert.deepEqual(standing, { enforcement: lease.enforcement, reason: lease.reason });
      assert.deepEqual(await partitions.verify(lease), standing);
      assert.deepEqual(lease.recorded, standing);
      assert.equal(typeof (await partitions.observe(lease)).samples, 'number');
      await partitions.release(lease);
      await partitions.release(lease);
      assert.equal(partitions.freeWays(0), 10);
      assert.deepEqual(lease.recorded, standing, 'what was recorded stays');
    });

    test('refuses what it does not have', async () => {
      await using rig = new Rig();
      await using partitions = await make(rig);
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
      assert.equal(partitions.freeWays(0), 0);
    });

    test('holds two attempts that bear one number', async () => {
      await using rig = new Rig();
      await using partitions = await make(rig);
      const [a, b] = await Promise.all([partitions.acquire(request), partitions.acquire(request)]);
      assert.ok(a.ok && b.ok);
      assert.equal(partitions.freeWays(0), 2);
      await partitions.release(a.value);
      assert.equal(partitions.freeWays(0), 6);
      await partitions.release(b.value);
      assert.equal(partitions.freeWays(0), 10);
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
      assert.equal((await node.verify(lease as Lease)).enforcement, 'enforced');
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
    assert.equal(node.freeWays(0), 10);
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
  for (const { freeMask, id, freeWays } of node.view().domains) {
    assert.equal(freeMask & (taken.get(id) ?? 0), 0, 'free ways are free');
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

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_POOL_LIMITS } from '../../../node/llc/allocation/types.ts';
import { freeWaysOf, inGroupOf, lookAgain, Rig, take } from './partitions-rig.ts';

describe('a partition of its own', () => {
  test('is a group with a mask, narrowed in all domains before a task enters, and leaves nothing behind', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node, { runId: 'r1', attempt: 3, ways: 3 });
    assert.match(lease.group ?? '', /^fsched-[0-9a-f]{8}-r1-3$/);
    assert.deepEqual([lease.enforcement, lease.reason, lease.ways, lease.mask], ['enforced', null, 3, 0x7]);
    assert.equal(await rig.mask(lease.group ?? '', 0), 0x7);
    assert.equal(await rig.mask(lease.group ?? '', 8), 0xc00, 'the reserve elsewhere');
    assert.equal(await rig.mask('', 0), 0xc00, 'root keeps to the reserve');
    assert.equal(await rig.mask('', 8), 0xfff, 'root keeps domains that nothing is lent of');
    const pid = rig.processes.fork();
    assert.deepEqual(await node.enter(lease, pid), { enforcement: 'enforced', reason: null });
    assert.ok((await inGroupOf(rig, lease)).includes(pid));
    await node.release(lease);
    assert.deepEqual(await rig.groups(), []);
    assert.equal(await rig.mask('', 0), 0xfff);
    assert.equal(lease.recorded.enforcement, 'enforced');
    await node.release(lease);
  });

  test('takes every thread of a process in, and its children follow', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node);
    const pid = rig.processes.fork();
    const thread = rig.processes.clone(pid);
    assert.equal((await node.enter(lease, pid)).enforcement, 'enforced');
    const child = rig.processes.fork(thread);
    const inside = await inGroupOf(rig, lease);
    for (const tid of [pid, thread, child]) assert.ok(inside.includes(tid), `${tid} is in`);
    assert.equal((await lookAgain(node, lease)).enforcement, 'enforced');
  });

  test('has no strays when threads come and go while it is looked at', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node);
    const pid = rig.processes.fork();
    let thread = rig.processes.clone(pid);
    const read = rig.fs.read.bind(rig.fs);
    rig.fs.read = async (path) => {
      if (path !== `${lease.group}/tasks`) return read(path);
      rig.processes.exit(thread);
      const tasks = await read(path);
      thread = rig.processes.clone(pid);
      return tasks;
    };
    assert.deepEqual(await node.enter(lease, pid), { enforcement: 'enforced', reason: null });
    assert.deepEqual(await lookAgain(node, lease), { enforcement: 'enforced', reason: null });
  });

  test('is not looked at for a process that is still to enter', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node);
    const round = node.maintain();
    const entered = node.enter(lease, rig.processes.fork());
    await round;
    await entered;
    assert.deepEqual(lease.recorded, { enforcement: 'enforced', reason: null });
  });

  test('is moved when that makes room, and its processes never share a way', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const leases = [];
    for (const ways of [3, 2, 3, 2]) {
      const lease = await take(rig, node, { ways });
      await node.enter(lease, rig.processes.fork());
      leases.push(lease);
    }
    const [first, , third] = leases;
    if (!first || !third) throw new Error('four leases');
    await node.release(first);
    await node.release(third);
    const before = leases[1]?.mask;
    const large = await take(rig, node, { ways: 6 });
    assert.equal(large.enforcement, 'enforced');
    assert.notEqual(leases[1]?.mask, before, 'one was moved');
    for (const lease of [leases[1], leases[3], large]) {
      assert.equal(await rig.mask(lease?.group ?? ''), lease?.mask);
    }
    assert.equal((await lookAgain(node, leases[1] ?? large)).enforcement, 'enforced');
  });

  test('has the same ways for data and code with CDP, and leaves memory bandwidth alone', async () => {
    await using rig = new Rig({
      cdp: true,
      machine: { mba: { closids: 8, minBandwidth: 10, granularity: 10 } },
    });
    const node = await rig.node();
    const lease = await take(rig, node, { ways: 4 });
    const schemata = await rig.fs.read(`${lease.group}/schemata`);
    assert.match(schemata, /L3DATA:0=00f;8=c00/);
    assert.match(schemata, /L3CODE:0=00f;8=c00/);
    assert.match(schemata, /MB:0=\s*100;8=\s*100/);
  });

  test('keeps the minimum of the CPU and avoids ways that I/O shares', async () => {
    await using rig = new Rig({ machine: { minCbmBits: 2, shareableBits: 0xc00 } });
    const node = await rig.node();
    const lease = await take(rig, node, { ways: 1 });
    assert.deepEqual([lease.ways, lease.mask, lease.enforcement], [2, 0x3, 'enforced']);
    assert.equal(await rig.mask(''), 0xc00);
  });

  test('is refused when there are no ways', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    await take(rig, node, { ways: 7 });
    const answer = await node.acquire({ runId: 'x', attempt: 1, domain: 0, ways: 4, sensitive: true });
    assert.deepEqual(answer.ok ? null : answer.error.code, 'FULL');
    assert.equal(freeWaysOf(node, 0), 3);
    assert.equal(freeWaysOf(node, 8), 10);
    assert.equal(freeWaysOf(node, 5), 0);
    assert.equal((await rig.groups()).length, 1);
  });
});

describe('the pool', () => {
  test('takes runs that gain nothing, in one group for all', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const a = await take(rig, node, { sensitive: false });
    const b = await take(rig, node, { sensitive: false, domain: 8 });
    assert.equal(a.enforcement, 'shared');
    assert.match(a.reason ?? '', /gains nothing/);
    assert.equal(a.group, b.group);
    assert.equal((await rig.groups()).length, 1);
    assert.equal(await rig.mask(a.group ?? '', 0), a.mask);
    const pid = rig.processes.fork();
    assert.equal((await node.enter(a, pid)).enforcement, 'shared');
    await node.release(a);
    assert.equal(await rig.mask(b.group ?? '', 0), 0xc00, 'nothing of a domain without members');
    await node.release(b);
    assert.deepEqual(await rig.groups(), []);
  });

  test('has the memory bandwidth that it may have, as the hardware can hold it, and takes it along when it goes', async () => {
    const mba = { closids: 8, minBandwidth: 20, granularity: 10 };
    for (const [wanted, held] of [
      [33, 40],
      [5, 20],
      [100, 100],
    ] as const) {
      await using rig = new Rig({
        machine: { mba },
        manager: { pool: { ...DEFAULT_POOL_LIMITS, bandwidthPercent: wanted } },
      });
      const bandwidth = async (group: string) =>
        /MB:0=\s*(\d+);8=\s*(\d+)/.exec(await rig.fs.read(`${group}schemata`))?.slice(1);
      const node = await rig.node();
      const own = await take(rig, node);
      const shares = await take(rig, node, { sensitive: false });
      assert.deepEqual(await bandwidth(`${shares.group}/`), [String(held), String(held)]);
      assert.deepEqual(await bandwidth(`${own.group}/`), ['100', '100'], 'partitions have no limit');
      assert.deepEqual(await bandwidth(''), ['100', '100']);
      assert.equal(node.view().domains[0]?.poolBandwidthPercent, held);
      await node.release(shares);
      await rig.fs.mkdir('after');
      assert.deepEqual(await bandwidth('after/'), ['100', '100'], 'its class of service is as new');
    }
  });

  test('goes on without a limit where there is none to be had, and says so', async () => {
    await using rig = new Rig({ manager: { pool: { ...DEFAULT_POOL_LIMITS, bandwidthPercent: 50 } } });
    const node = await rig.node();
    const shares = await take(rig, node, { sensitive: false });
    assert.equal(shares.enforcement, 'shared');
    assert.equal(node.view().domains[0]?.poolBandwidthPercent, null);
    const warnings = rig.log.filter(({ level }) => level === 'warn').map(({ message }) => message);
    assert.deepEqual(warnings, [
      'the shared pool has no limit of bandwidth: this machine has no memory bandwidth allocation',
    ]);
  });

  test('takes who waits for a class of service, and moves it up with all that it started', async () => {
    await using rig = new Rig({ machine: { closids: 4 } });
    const node = await rig.node();
    const a = await take(rig, node);
    await take(rig, node, { domain: 8 });
    const waits = await take(rig, node, { ways: 3 });
    const other = await take(rig, node, { sensitive: false });
    assert.deepEqual([waits.enforcement, other.enforcement], ['shared', 'shared']);
    assert.match(waits.reason ?? '', /CLOSID/);
    const [pid, stranger] = [rig.processes.fork(), rig.processes.fork()];
    await node.enter(waits, pid);
    await node.enter(other, stranger);
    const child = rig.processes.fork(pid);
    await node.release(a);
    assert.deepEqual([waits.enforcement, waits.reason], ['enforced', null]);
    const inside = await inGroupOf(rig, waits);
    assert.deepEqual(
      [inside.includes(pid), inside.includes(child), inside.includes(stranger)],
      [true, true, false],
    );
    assert.equal(waits.recorded.enforcement, 'shared', 'its first part was shared');
    assert.equal((await lookAgain(node, other)).enforcement, 'shared');
  });

  test('is left for a partition where it was, when its last member is moved up', async () => {
    await using rig = new Rig({ machine: { closids: 3 } });
    const node = await rig.node();
    const a = await take(rig, node, { ways: 5 });
    const waits = await take(rig, node, { ways: 5 });
    await node.enter(waits, rig.processes.fork());
    await node.release(a);
    assert.equal(waits.enforcement, 'enforced');
    assert.equal((await rig.groups()).length, 1);
  });
});

describe('other programs', () => {
  test('keep their groups and their ways', async () => {
    await using rig = new Rig();
    await rig.fs.mkdir('theirs');
    await rig.fs.write('theirs/schemata', 'L3:0=f\n');
    await rig.fs.mkdir('watcher');
    const node = await rig.node();
    const lease = await take(rig, node, { ways: 4 });
    assert.equal((lease.mask ?? 0) & 0xf, 0);
    assert.equal(freeWaysOf(node, 0), 2);
    const { domains } = node.view();
    assert.deepEqual(
      domains.map(({ masks }) => masks.foreign),
      [0xf, 0],
      'who chose no ways holds none',
    );
    await node.release(lease);
    assert.equal(await rig.mask(''), 0xff0, 'root gets no ways that they hold');
    assert.equal(await rig.mask('theirs'), 0xf);
    assert.deepEqual(await rig.groups(), ['theirs', 'watcher']);
  });

  test('may be exclusive', async () => {
    await using rig = new Rig();
    await rig.fs.mkdir('theirs');
    await rig.fs.write('theirs/schemata', 'L3:0=f;8=f\n');
    await rig.fs.write('schemata', 'L3:0=ff0;8=ff0\n');
    await rig.fs.write('theirs/mode', 'exclusive\n');
    await rig.fs.mkdir('default');
    const node = await rig.node();
    const lease = await take(rig, node, { ways: 6 });
    assert.equal(lease.mask, 0x3f0);
    assert.equal(lease.enforcement, 'enforced');
    await node.release(lease);
    assert.equal(await rig.mask(''), 0xff0);
  });

  test('that take ways of ours make us move', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node, { ways: 4 });
    await node.enter(lease, rig.processes.fork());
    await rig.fs.mkdir('theirs');
    await rig.fs.write('theirs/schemata', 'L3:0=3\n');
    await node.maintain();
    assert.equal((lease.mask ?? 0) & 0x3, 0);
    assert.equal(await rig.mask(lease.group ?? ''), lease.mask);
    assert.equal(lease.enforcement, 'enforced');
    await rig.fs.write('theirs/schemata', 'L3:0=1ff\n');
    await node.maintain();
    assert.equal(lease.enforcement, 'unenforced');
    assert.match(lease.reason ?? '', /another program took its ways/);
    assert.deepEqual(await rig.groups(), ['theirs']);
  });

  test('that hold all classes of service leave the pool, or nothing', async () => {
    await using rig = new Rig({ machine: { closids: 3 } });
    await rig.fs.mkdir('one');
    const node = await rig.node();
    const shared = await take(rig, node);
    assert.equal(shared.enforcement, 'shared');
    await node.release(shared);
    await rig.fs.mkdir('two');
    const bare = await take(rig, node);
    assert.equal(bare.enforcement, 'unenforced');
    assert.match(bare.reason ?? '', /classes of service/);
    assert.equal(bare.group, null);
    assert.equal(freeWaysOf(node, 0), 8, 'its ways count all the same');
    assert.ok(rig.log.some(({ level }) => level === 'warn'));
  });

  test('that remove a group of ours are found out, at entering or later', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const [a, b, c] = [
      await take(rig, node),
      await take(rig, node),
      await take(rig, node, { sensitive: false }),
    ];
    await rig.fs.rmdir(a.group ?? '');
    const standing = await node.enter(a, rig.processes.fork());
    assert.equal(standing.enforcement, 'unenforced');
    assert.match(standing.reason ?? '', /removed/);
    assert.equal(a.group, null);
    await node.enter(b, rig.processes.fork());
    await node.enter(c, rig.processes.fork());
    await rig.fs.rmdir(b.group ?? '');
    await rig.fs.rmdir(c.group ?? '');
    await node.maintain();
    assert.deepEqual([b.recorded.enforcement, c.recorded.enforcement], ['unenforced', 'unenforced']);
    for (const lease of [a, b, c]) await node.release(lease);
    assert.equal(freeWaysOf(node, 0), 10);
  });

  test('that change a mask or take a thread out are found out', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const [a, b] = [await take(rig, node), await take(rig, node)];
    const pid = rig.processes.fork();
    await node.enter(b, pid);
    await rig.fs.write(`${a.group}/schemata`, 'L3:0=fff\n');
    assert.equal((await node.enter(a, rig.processes.fork())).enforcement, 'unenforced');
    assert.match(a.reason ?? '', /mask fff, not 3/);
    await rig.fs.write('tasks', `${pid}\n`);
    await node.maintain();
    assert.match(b.recorded.reason ?? '', new RegExp(`threads ${pid} of process ${pid} are outside`));
  });
});

describe('what the kernel lacks for a moment', () => {
  test('is waited for: an RMID in limbo', async () => {
    await using rig = new Rig({ machine: { rmids: 2 }, limboMs: 300 });
    const node = await rig.node();
    await node.release(await take(rig, node));
    const lease = await take(rig, node);
    assert.equal(lease.enforcement, 'enforced');
  });

  test('ends in the pool, and is moved up when it is over', async () => {
    await using rig = new Rig({ machine: { rmids: 4 }, limboMs: Number.POSITIVE_INFINITY });
    const node = await rig.node();
    const pooled = await take(rig, node, { sensitive: false });
    await node.release(await take(rig, node));
    const lease = await take(rig, node);
    assert.equal(lease.enforcement, 'shared');
    assert.match(lease.reason ?? '', /limbo/);
    await node.maintain();
    assert.equal(lease.enforcement, 'shared');
    rig.fs.cleanLimbo();
    await node.maintain();
    assert.equal(lease.enforcement, 'enforced');
    assert.equal(pooled.enforcement, 'shared');
  });

  test('leaves a run unenforced when there is no pool either', async () => {
    await using rig = new Rig({ machine: { rmids: 1 } });
    const node = await rig.node();
    const lease = await take(rig, node);
    assert.equal(lease.enforcement, 'unenforced');
    assert.match(lease.reason ?? '', /RMID/);
    assert.equal((await node.enter(lease, rig.processes.fork())).enforcement, 'unenforced');
  });
});

describe('the loss of resctrl', () => {
  test('is told loudly, recorded with runs, and ends when it is mounted again', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node);
    await node.enter(lease, rig.processes.fork());
    rig.fs.unmount();
    await node.maintain();
    assert.equal(node.view().state, 'lost');
    assert.equal(lease.enforcement, 'unenforced');
    assert.match(lease.recorded.reason ?? '', /unmounted/);
    assert.ok(rig.log.some(({ level, message }) => level === 'error' && /not enforced/.test(message)));
    const meanwhile = await take(rig, node, { ways: 3 });
    assert.equal(meanwhile.enforcement, 'unenforced');
    assert.equal(freeWaysOf(node, 0), 5);
    rig.fs.mount();
    await node.maintain();
    assert.equal(node.view().state, 'holding');
    const after = await take(rig, node);
    assert.equal(after.enforcement, 'enforced');
    assert.equal(freeWaysOf(node, 0), 3);
    for (const each of [lease, meanwhile, after]) await node.release(each);
    assert.equal(freeWaysOf(node, 0), 10);
    assert.deepEqual(await rig.groups(), []);
  });

  test('is noticed by a request, and does not fail it', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const held = await take(rig, node);
    rig.fs.unmount();
    const lease = await take(rig, node);
    assert.deepEqual([lease.enforcement, held.enforcement], ['unenforced', 'unenforced']);
    await node.release(held);
    await node.release(lease);
  });

  test('and a new mount in between are told apart by the groups that are gone', async () => {
    await using rig = new Rig();
    const node = await rig.node();
    const lease = await take(rig, node);
    rig.fs.unmount();
    rig.fs.mount();
    const after = await take(rig, node);
    assert.deepEqual([lease.enforcement, after.enforcement], ['unenforced', 'enforced']);
  });

  test('may be there from the start', async () => {
    await using rig = new Rig();
    rig.fs.unmount();
    const node = await rig.node();
    assert.match(node.view().reason ?? '', /not mounted/);
    rig.fs.mount();
    await node.maintain();
    assert.equal((await take(rig, node)).enforcement, 'enforced');
  });
});

describe('after a crash', () => {
  test('groups of this node go, root gets back what it had, and others keep theirs', async () => {
    await using rig = new Rig();
    await rig.fs.mkdir('theirs');
    await rig.fs.write('theirs/schemata', 'L3:0=1\n');
    await rig.fs.write('schemata', 'L3:0=fe0\n');
    // This one is never stopped: it crashed.
    const crashed = await rig.node();
    const lease = await take(rig, crashed, { ways: 3 });
    await crashed.enter(lease, rig.processes.fork());
    await take(rig, crashed, { sensitive: false });
    assert.notEqual(await rig.mask(''), 0xfe0);
    const node = await rig.node();
    assert.deepEqual(await rig.groups(), ['theirs']);
    assert.equal(await rig.mask(''), 0xfe0);
    assert.equal((await take(rig, node, { ways: 3 })).enforcement, 'enforced');
  });

  test('root is restored even where the note is lost', async () => {
    await using rig = new Rig();
    await take(rig, await rig.node());
    await rig.note.save(null);
    await rig.node();
    assert.equal(await rig.mask(''), 0xfff);
  });
});

describe('two nodes on one machine', () => {
  test('share it without touching each other', async () => {
    await using rig = new Rig();
    const [a, b] = [await rig.node('node-a'), await rig.node('node-b')];
    const one = await take(rig, a, { ways: 4 });
    const two = await take(rig, b, { ways: 4 });
    assert.deepEqual([one.enforcement, two.enforcement], ['enforced', 'enforced']);
    assert.equal((one.mask ?? 0) & (two.mask ?? 0), 0);
    assert.equal((await lookAgain(a, one)).enforcement, 'enforced');
    await a.release(one);
    assert.equal((await rig.mask('')) & (two.mask ?? 0), 0, 'root keeps off the other node');
    await b.release(two);
    assert.equal(await rig.mask(''), 0xfff);
  });

  test('the one that starts later leaves root as it was before both', async () => {
    await using rig = new Rig();
    const a = await rig.node('node-a');
    await take(rig, a, { ways: 4 });
    const b = await rig.node('node-b');
    await take(rig, b, { ways: 4 });
    await a.stop();
    await b.stop();
    assert.deepEqual([await rig.groups(), await rig.mask('', 0), await rig.mask('', 8)], [[], 0xfff, 0xfff]);
  });
});

describe('counters', () => {
  test('are sampled, with peak and mean, and survive being unavailable', async () => {
    const readings: (number | null)[] = [4096, null, 8192, 6144];
    let reading: number | null = 0;
    await using rig = new Rig({
      counters: ({ counter }) =>
        counter === 'llc_occupancy' ? reading : reading === null ? null : reading * 1000,
    });
    const node = await rig.node();
    const lease = await take(rig, node);
    for (const next of readings) {
      reading = next;
      await node.maintain();
      rig.clock.advance(500);
    }
    reading = null;
    const { occupancyBytes, bandwidthBytesPerSecond, samples } = await node.observe(lease);
    assert.equal(samples, 5, 'asking is one more look');
    assert.deepEqual(occupancyBytes, { last: 6144, peak: 8192, mean: 6144 });
    // From 4,096,000 to 8,192,000 bytes in a second; then the counter began anew.
    assert.deepEqual(bandwidthBytesPerSecond, { last: 4_096_000, peak: 4_096_000, mean: 4_096_000 });
    assert.equal(node.view().domains[0]?.leases[0]?.occupancyBytes, 6144);
    const member = await take(rig, node, { sensitive: false });
    reading = 6144;
    await node.observe(member);
    assert.equal(node.view().domains[0]?.leases[1]?.occupancyBytes, 6144);
    const before = await node.observe(lease);
    await node.release(lease);
    assert.deepEqual(await node.observe(lease), before, 'what was seen stays');
  });

  test('tell of a run that is over before the first look at it', async () => {
    let moved = 1_000_000;
    await using rig = new Rig({
      counters: ({ counter }) =>
        counter === 'llc_occupancy' ? 2048 : counter === 'mbm_total_bytes' ? moved : null,
    });
    const node = await rig.node();
    const lease = await take(rig, node);
    await node.enter(lease, rig.processes.fork());
    rig.clock.advance(500);
    moved += 3000;
    const use = await node.observe(lease);
    assert.deepEqual(use, {
      samples: 1,
      occupancyBytes: { last: 2048, peak: 2048, mean: 2048 },
      bandwidthBytesPerSecond: { last: 6000, peak: 6000, mean: 6000 },
      localBandwidthBytesPerSecond: null,
    });
  });

  test('are not missed where there is no monitoring', async () => {
    await using rig = new Rig({ machine: { rmids: null } });
    const node = await rig.node();
    const lease = await take(rig, node);
    await node.maintain();
    assert.equal(lease.enforcement, 'enforced');
    assert.equal((await node.observe(lease)).samples, 0);
  });
});

/** What the emulator does where the recorded transcripts don't look; sources are the kernel's fs/resctrl and docs. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { EmulatedResctrl, EmulatorOptions } from '../../../node/llc/emulator/emulator.ts';
import { machineLike } from '../../../node/llc/emulator/machine.ts';
import { fileMemory } from '../../../node/llc/emulator/memory.ts';
import type { ThreadInfo } from '../../../node/llc/emulator/processes.ts';
import { fullMask, isContiguous, lowestRun, popCount } from '../../../node/llc/masks.ts';
import { refusal } from '../../resctrl/bench.ts';
import { emulate, groupsOf, SimulatedProcesses } from '../../resctrl/paper-machine.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const twoDomains = [
  { id: 0, cpus: [0, 1] },
  { id: 1, cpus: [2, 3] },
];
const machine = { domains: twoDomains, ways: 16, wayBytes: 1024 * 1024 };

async function statusOf(fs: EmulatedResctrl): Promise<string> {
  return (await fs.read('info/last_cmd_status')).trim();
}

describe('the emulated resctrl: limits', () => {
  test('keeps freed RMIDs in limbo as long as it was told to', async () => {
    const clock = new FakeClock();
    const fs = emulate({ machine: { ...machine, rmids: 3 }, limboMs: 5000 }, { clock });
    await fs.mkdir('a');
    await fs.mkdir('b');
    // Nothing is in limbo, so waiting wouldn't help.
    assert.equal((await refusal(fs.mkdir('c')))?.code, 'ENOSPC');
    await fs.rmdir('a');
    const error = await refusal(fs.mkdir('c'));
    assert.deepEqual([error?.code, error?.lastCmdStatus], ['EBUSY', 'Out of RMIDs\nOut of RMIDs']);
    clock.advance(4999);
    assert.equal((await refusal(fs.mkdir('c')))?.code, 'EBUSY');
    clock.advance(1);
    await fs.mkdir('c');
    assert.equal(fs.rmidsInLimbo, 0);
  });

  test('needs the fewest CLOSIDs of all resources', async () => {
    const mba = { closids: 3, minBandwidth: 10, granularity: 10 };
    const fs = emulate({ machine: { ...machine, mba } });
    assert.equal(await fs.read('schemata'), '    MB:0= 100;1= 100\n    L3:0=ffff;1=ffff\n');
    await fs.mkdir('a');
    await fs.mkdir('b');
    assert.equal((await refusal(fs.mkdir('c')))?.code, 'ENOSPC');
    await fs.write('a/schemata', 'MB:0=41\nL3:1=f\n');
    assert.equal(await fs.read('a/schemata'), '    MB:0=  50;1= 100\n    L3:0=ffff;1=000f\n');
    assert.equal(await fs.read('a/size'), '    MB:0=50;1=100\n    L3:0=16777216;1=4194304\n');
    assert.equal(
      (await refusal(fs.write('a/schemata', 'MB:0=9\n')))?.lastCmdStatus,
      'MB value 9 out of range [10,100]',
    );
  });

  test('takes masks with gaps where it tells that it does', async () => {
    const fs = emulate({ machine: { ...machine, tellsSparseMasks: true, sparseMasks: true } });
    assert.equal(await fs.read('info/L3/sparse_masks'), '1\n');
    await fs.write('schemata', 'L3:0=5\n');
    const other = emulate({ machine: { ...machine, tellsSparseMasks: true } });
    assert.equal(await other.read('info/L3/sparse_masks'), '0\n');
    assert.equal((await refusal(other.write('schemata', 'L3:0=5\n')))?.code, 'EINVAL');
    assert.ok(!(await emulate({ machine }).list('info/L3')).includes('sparse_masks'));
  });

  test('refuses a group when an exclusive one has all ways', async () => {
    const fs = emulate({
      machine: { ...machine, ways: 2, minCbmBits: 2, closids: 2, rmids: 8 },
      limboMs: 1e9,
    });
    await fs.write('mode', 'exclusive\n');
    const error = await refusal(fs.mkdir('a'));
    assert.deepEqual([error?.code, error?.lastCmdStatus], ['ENOSPC', 'No space on L3:0']);
    assert.ok(!(await fs.list('')).includes('a'));
    // What it had taken is given back: the CLOSID at once, the RMID through limbo.
    assert.equal(fs.rmidsInLimbo, 1);
    await fs.write('mode', 'shareable\n');
    await fs.mkdir('a');
  });

  test('takes a page at most, and no bytes for what they are', async () => {
    const fs = emulate({ machine });
    assert.equal((await refusal(fs.write('schemata', `${'\n'.repeat(4097)}`)))?.code, 'E2BIG');
    assert.equal((await refusal(fs.write('schemata', '')))?.code, 'EINVAL');
  });

  test('wants two adjacent ways where the CPU does', async () => {
    const fs = emulate({ machine: { ...machine, minCbmBits: 2 } });
    const error = await refusal(fs.write('schemata', 'L3:0=8\n'));
    assert.equal(error?.lastCmdStatus, 'Need at least 2 bits in the mask');
    await fs.write('schemata', 'L3:0=18\n');
  });

  test('drops what no longer fits the status', async () => {
    const fs = emulate({ machine: { ...machine, closids: 1, rmids: 3 } });
    for (let attempt = 0; attempt < 60; attempt++) await refusal(fs.mkdir('a'));
    const status = await fs.read('info/last_cmd_status');
    assert.ok(status.length < 512);
    // The RMIDs that the refused groups had are given back too.
    assert.match(status, /^(Out of CLOSIDs\n)+$/);
    await fs.write('schemata', 'L3:0=1\n');
    assert.equal(await statusOf(fs), 'ok');
  });
});

describe('the emulated resctrl: exclusive groups with CDP', () => {
  test('counts code against data of others, and not its own', async () => {
    const fs = emulate({ machine, cdp: true });
    await fs.mkdir('a');
    await fs.write('a/schemata', 'L3DATA:0=f;1=f\nL3CODE:0=f0;1=f0\n');
    await fs.write('schemata', 'L3DATA:0=fff0;1=ff00\nL3CODE:0=ff00;1=ff00\n');
    // Data of root and code of a share ways 4 to 7.
    assert.equal((await refusal(fs.write('a/mode', 'exclusive\n')))?.lastCmdStatus, 'Schemata overlaps');
    await fs.write('schemata', 'L3DATA:0=ff00\n');
    await fs.write('a/mode', 'exclusive\n');
    const error = await refusal(fs.write('schemata', 'L3DATA:1=10\n'));
    assert.equal(error?.lastCmdStatus, 'Overlaps with exclusive group');
    // Its own code and data may share.
    await fs.write('a/schemata', 'L3DATA:0=f0\n');
    await fs.mkdir('b');
    assert.equal(await fs.read('b/schemata'), 'L3DATA:0=000f;1=ff00\nL3CODE:0=000f;1=ff00\n');
    assert.equal((await refusal(fs.write('b/mode', 'pseudo-locksetup\n')))?.lastCmdStatus, 'CDP enabled');
  });
});

describe('the emulated resctrl: threads', () => {
  test('gives children the group that their parent had when it forked', async () => {
    const processes = new SimulatedProcesses();
    const fs = emulate({ machine }, { processes });
    await fs.mkdir('a');
    await fs.mkdir('b');
    const parent = processes.fork();
    await fs.write('a/tasks', `${parent}`);
    const inA = processes.fork(parent);
    const thread = processes.clone(inA);
    await fs.write('b/tasks', `${parent}`);
    const inB = processes.fork(parent);
    assert.deepEqual(await fs.read('a/tasks'), `${inA}\n${thread}\n`);
    assert.deepEqual(await fs.read('b/tasks'), `${parent}\n${inB}\n`);
  });

  test('follows a program that makes itself a daemon', async () => {
    const processes = new SimulatedProcesses();
    const fs = emulate({ machine }, { processes });
    await fs.mkdir('a');
    const parent = processes.fork();
    await fs.write('a/tasks', `${parent}`);
    const middle = processes.fork(parent);
    const daemon = processes.fork(middle);
    processes.exit(middle);
    processes.exit(parent);
    assert.equal(await fs.read('a/tasks'), `${daemon}\n`);
    await fs.rmdir('a');
    assert.deepEqual(await groupsOf(fs, daemon), { control: '/', monitor: '' });
  });

  test('knows the children of a parent that ended before they were seen', async () => {
    const parent: ThreadInfo = { tid: 50, pid: 50, lineage: [] };
    let threads = [parent];
    const fs = emulate({ machine }, { processes: { threads: async () => threads, writer: () => 50 } });
    await fs.mkdir('a');
    await fs.write('a/tasks', '50');
    // A list of processes isn't taken at one moment: the parent is gone already, the child not yet found.
    threads = [];
    assert.equal(await fs.read('a/tasks'), '');
    threads = [{ tid: 51, pid: 51, lineage: [50] }];
    assert.equal(await fs.read('a/tasks'), '51\n');
  });

  test('gives the threads of a monitor group back to its control group', async () => {
    const processes = new SimulatedProcesses();
    const fs = emulate({ machine }, { processes });
    const tid = processes.fork();
    await fs.mkdir('a');
    await fs.mkdir('a/mon_groups/m');
    await fs.write('a/tasks', `${tid}`);
    await fs.write('a/mon_groups/m/tasks', `${tid}`);
    assert.deepEqual(await groupsOf(fs, tid), { control: 'a', monitor: 'm' });
    await fs.rmdir('a/mon_groups/m');
    assert.deepEqual(await groupsOf(fs, tid), { control: 'a', monitor: '' });
    assert.equal((await refusal(fs.mkdir('a/mon_groups/mon_groups')))?.code, 'EPERM');
  });

  test('reads numbers as the kernel does', async () => {
    const processes = new SimulatedProcesses();
    const fs = emulate({ machine }, { processes });
    await fs.mkdir('a');
    processes.fork(1, 31);
    for (const text of ['31', ' 31 \n', '+31', '0x1f', '037']) {
      await fs.write('tasks', '31');
      await fs.write('a/tasks', text);
      assert.equal(await fs.read('a/tasks'), '31\n', text);
    }
    for (const text of ['039', '3 1', '31,', '0x', '99999999999']) {
      assert.equal((await refusal(fs.write('a/tasks', text)))?.code, 'EINVAL', text);
    }
  });
});

describe('the emulated resctrl: what outlives its process', () => {
  const options = { machine: { domains: [{ id: 0, cpus: [0, 1] }], ways: 8, wayBytes: 1024, rmids: 6 } };

  test('is there for the next one: groups with their masks, numbers, modes, CPUs and threads', async () => {
    let kept: string | null = null;
    const memory = {
      load: async () => kept,
      save: async (text: string) => {
        kept = text;
      },
    };
    const processes = new SimulatedProcesses();
    const [inside, watched, outside] = [processes.fork(), processes.fork(), processes.fork()];
    const first = emulate(options, { processes, memory });
    await first.mkdir('gone');
    await first.mkdir('a');
    await first.mkdir('a/mon_groups/m');
    await first.rmdir('gone');
    await first.write('schemata', 'L3:0=c0\n');
    await first.write('a/schemata', 'L3:0=3\n');
    await first.write('a/cpus_list', '1\n');
    await first.write('a/tasks', `${inside}\n`);
    await first.write('a/tasks', `${watched}\n`);
    await first.write('a/mon_groups/m/tasks', `${watched}\n`);
    await first.write('a/mode', 'exclusive\n');
    const files = [
      'schemata',
      'a/schemata',
      'a/mode',
      'a/cpus_list',
      'cpus_list',
      'a/tasks',
      'a/mon_groups/m/tasks',
    ];
    const told = (fs: EmulatedResctrl) => Promise.all(files.map((file) => fs.read(file)));
    const before = await told(first);
    // The first process is gone; what it started lives on, and has had a child since.
    const child = processes.fork(inside);
    const second = emulate(options, { processes, memory });
    const after = await told(second);
    assert.deepEqual(after.slice(0, 5), before.slice(0, 5));
    assert.deepEqual(after[5], `${inside}\n${watched}\n${child}\n`);
    assert.deepEqual(after[6], before[6]);
    assert.ok(!(await second.read('a/tasks')).includes(`${outside}\n`));
    // Root, a and m hold three of the six monitoring ids.
    for (const name of ['b', 'c', 'd']) await second.mkdir(name);
    await assert.rejects(() => second.mkdir('e'), { code: 'ENOSPC' });
    await second.rmdir('a');
    assert.equal(await second.read('mode'), 'shareable\n');
    const third = emulate(options, { processes, memory });
    assert.deepEqual(
      (await third.list('')).filter((name) => name.length === 1),
      ['b', 'c', 'd'],
    );
    const other = emulate({ machine: { ...options.machine, ways: 9 } }, { processes, memory });
    assert.ok(!(await other.list('')).includes('b'), 'another machine');
  });

  test('is kept in a file of this boot', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-emulator-'));
    const path = join(directory, 'state');
    const memory = fileMemory(path);
    assert.equal(await memory.load(), null);
    await memory.save('{"groups":[]}');
    assert.equal(await fileMemory(path).load(), '{"groups":[]}');
    await writeFile(path, 'another boot\n{"groups":[]}');
    assert.equal(await memory.load(), null);
    await memory.save('null');
    assert.equal(await memory.load(), null);
    await rm(directory, { recursive: true });
  });
});

describe('the emulated resctrl: CPUs and counters', () => {
  test('has every CPU in one control group', async () => {
    const fs = emulate({ machine: { ...machine, possibleCpus: 40 } });
    await fs.mkdir('a');
    assert.equal(await fs.read('cpus'), '00,0000000f\n');
    await fs.write('a/cpus', '6\n');
    assert.deepEqual([await fs.read('a/cpus_list'), await fs.read('cpus_list')], ['1-2\n', '0,3\n']);
    await fs.mkdir('a/mon_groups/m');
    assert.equal((await refusal(fs.write('a/mon_groups/m/cpus_list', '3\n')))?.code, 'EINVAL');
    await fs.write('a/mon_groups/m/cpus_list', '1\n');
    await fs.write('cpus_list', '0-1,3\n');
    assert.deepEqual(
      [await fs.read('a/cpus_list'), await fs.read('a/mon_groups/m/cpus_list')],
      ['2\n', '\n'],
    );
    assert.equal((await refusal(fs.write('cpus_list', '0\n')))?.code, 'EINVAL');
    const refused = [
      'Can only add CPUs to mongroup that belong to parent',
      "Can't drop CPUs from default group",
    ];
    assert.equal(await statusOf(fs), refused.join('\n'));
    assert.equal((await refusal(fs.write('a/cpus_list', '7\n')))?.code, 'EINVAL');
    refused.push('Can only assign online CPUs');
    assert.equal(await statusOf(fs), refused.join('\n'));
    assert.equal((await refusal(fs.write('a/cpus', '100,00000000\n')))?.code, 'EOVERFLOW');
    refused.push('Bad CPU list/mask');
    assert.equal(await statusOf(fs), refused.join('\n'));
    await fs.rmdir('a');
    assert.equal(await fs.read('cpus_list'), '0-3\n');
  });

  test('sums a group and its monitor groups, as far as they have values', async () => {
    const values: Record<string, number | null> = {
      a: null,
      'a/mon_groups/m': 5,
      'a/mon_groups/n': 7,
      b: null,
    };
    const fs = emulate({ machine }, { counters: ({ group }) => values[group] ?? null });
    for (const group of ['a', 'a/mon_groups/m', 'a/mon_groups/n', 'b']) await fs.mkdir(group);
    assert.equal(await fs.read('a/mon_data/mon_L3_01/mbm_total_bytes'), '12\n');
    assert.equal(await fs.read('b/mon_data/mon_L3_01/mbm_total_bytes'), 'Unavailable\n');
  });

  test('is empty while it is unmounted, and as new afterwards', async () => {
    const processes = new SimulatedProcesses();
    const options: EmulatorOptions = { machine, limboMs: 1e9 };
    const fs = emulate(options, { processes });
    await fs.mkdir('a');
    await fs.write('a/tasks', '1');
    await fs.write('schemata', 'L3:0=1\n');
    fs.unmount();
    assert.deepEqual(await fs.list(''), []);
    assert.equal((await refusal(fs.read('schemata')))?.code, 'ENOENT');
    assert.equal((await refusal(fs.mkdir('a')))?.code, 'EPERM');
    fs.mount({ cdp: true });
    assert.equal(await fs.read('schemata'), 'L3DATA:0=ffff;1=ffff\nL3CODE:0=ffff;1=ffff\n');
    assert.equal(await fs.read('tasks'), '1\n');
    assert.equal(fs.rmidsInLimbo, 1);
  });

  test('leaks nothing in many groups', async () => {
    const fs = emulate({ machine: { ...machine, rmids: 20 } });
    for (let run = 0; run < 1000; run++) {
      await fs.mkdir('a');
      await fs.mkdir('a/mon_groups/m');
      await fs.rmdir('a');
    }
    for (let index = 1; index < 16; index++) await fs.mkdir(`g${index}`);
  });

  test('takes over the caches of a machine that it is told', () => {
    const domains = [{ id: 3, cpus: [0], ways: 20, wayBytes: 4096 }];
    assert.deepEqual(machineLike({ domains }), { domains: [{ id: 3, cpus: [0] }], ways: 20, wayBytes: 4096 });
    assert.throws(() => emulate({ machine: { ...machine, ways: 33 } }), RangeError);
    assert.throws(() => emulate({ machine: { ...machine, cdpCapable: false }, cdp: true }), RangeError);
  });
});

describe('masks', () => {
  test('agree with strings of bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (mask) => {
        const bits = mask.toString(2);
        const run = /1+(?=0*$)/.exec(bits)?.[0] ?? '';
        const zeros = /0*$/.exec(bits)?.[0].length ?? 0;
        assert.equal(popCount(mask), bits.replaceAll('0', '').length);
        assert.equal(lowestRun(mask), run === '' ? 0 : fullMask(run.length) * 2 ** zeros);
        assert.equal(isContiguous(mask), /^(0|1+0*)$/.test(bits));
      }),
    );
    assert.deepEqual(
      [fullMask(32), lowestRun(0xffff_0000), lowestRun(0xffff_ffff)],
      [0xffff_ffff, 0xffff_0000, 0xffff_ffff],
    );
  });
});

/** What is read from a mounted resctrl: schemata, topology, counters. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readOccupancy } from '../../../node/llc/resctrl/occupancy.ts';
import { readResctrlTopology } from '../../../node/llc/resctrl/resctrl-topology.ts';
import { formatSchemata, parseSchemata, parseSizes } from '../../../node/llc/resctrl/schemata.ts';
import { refusal } from '../../resctrl/bench.ts';
import { emulate } from '../../resctrl/paper-machine.ts';

const MIB = 1024 * 1024;
const amd = {
  vendor: 'amd',
  domains: [
    { id: 7, cpus: [0, 1] },
    { id: 16, cpus: [2, 3] },
  ],
  ways: 16,
  wayBytes: 2 * MIB,
} as const;

describe('schemata', () => {
  test('reads what the kernel pads, bandwidths in decimal', () => {
    const lines = parseSchemata('    MB:0= 100;16=  50\n    L3:0=00ff;16=ffff\n');
    assert.deepEqual(lines, [
      {
        resource: 'MB',
        values: new Map([
          [0, 100],
          [16, 50],
        ]),
      },
      {
        resource: 'L3',
        values: new Map([
          [0, 0xff],
          [16, 0xffff],
        ]),
      },
    ]);
    assert.equal(formatSchemata(lines), 'MB:0=100;16=50\nL3:0=ff;16=ffff\n');
    assert.equal(parseSizes('L3:0=10\n')[0]?.values.get(0), 10);
  });

  test('leaves out what is no value', () => {
    assert.deepEqual(parseSchemata('L3:uninitialized\nnonsense\n'), [{ resource: 'L3', values: new Map() }]);
  });

  test('reads back what it writes', () => {
    const values = fc.uniqueArray(fc.tuple(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff })), {
      selector: ([id]) => id,
      minLength: 1,
    });
    const line = fc.record({ resource: fc.constantFrom('L3', 'L3CODE', 'L3DATA', 'MB'), values });
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const given = lines.map(({ resource, values: entries }) => ({ resource, values: new Map(entries) }));
        assert.deepEqual(parseSchemata(formatSchemata(given)), given);
      }),
    );
  });
});

describe('the topology of a mounted resctrl', () => {
  test('has gaps in its ids, AMD rules, and the CPUs that sysfs tells', async () => {
    const fs = emulate({ machine: amd });
    const sysfs = { domains: [{ id: 16, cpus: [3], ways: 16, wayBytes: 2 * MIB }] };
    const read = await readResctrlTopology(fs, sysfs);
    assert.ok(read.ok);
    assert.deepEqual(read.value, {
      caches: ['L3'],
      domains: [
        { id: 7, cpus: [], wayBytes: 2 * MIB },
        { id: 16, cpus: [3], wayBytes: 2 * MIB },
      ],
      ways: 16,
      minWays: 1,
      shareableBits: 0,
      closids: 16,
      mba: null,
    });
  });

  test('takes the fewest CLOSIDs, and half of the cache with CDP', async () => {
    const mba = { closids: 6, minBandwidth: 10, granularity: 10 };
    const machine = { ...amd, vendor: 'intel', minCbmBits: 2, shareableBits: 0xc000, mba } as const;
    const whole = await readResctrlTopology(emulate({ machine }), { domains: [] });
    assert.ok(whole.ok);
    assert.deepEqual([whole.value.closids, whole.value.minWays, whole.value.shareableBits], [6, 2, 0xc000]);
    assert.deepEqual(whole.value.mba, { minBandwidth: 10, granularity: 10 });
    const split = emulate({ machine: { ...machine, mba: null }, cdp: true });
    const read = await readResctrlTopology(split, { domains: [] });
    assert.ok(read.ok);
    assert.deepEqual([read.value.closids, read.value.caches], [8, ['L3DATA', 'L3CODE']]);
  });

  test('measures a way whatever the root group has left', async () => {
    const fs = emulate({ machine: amd });
    await fs.write('schemata', 'L3:7=f;16=0\n');
    const sysfs = { domains: [{ id: 16, cpus: [2, 3], ways: 8, wayBytes: 4 * MIB }] };
    const read = await readResctrlTopology(fs, sysfs);
    assert.ok(read.ok);
    assert.deepEqual(
      read.value.domains.map(({ wayBytes }) => wayBytes),
      [2 * MIB, 2 * MIB],
    );
  });

  test('fails where nothing is mounted', async () => {
    const fs = emulate({ machine: amd });
    fs.unmount();
    assert.equal((await refusal(readResctrlTopology(fs, { domains: [] })))?.code, 'ENOENT');
  });
});

describe('occupancy', () => {
  test('is read by domain, null where the counter is unavailable', async () => {
    const fs = emulate(
      { machine: amd },
      {
        counters: ({ group, domain, counter }) => {
          if (group !== 'g' || (domain === 16 && counter === 'mbm_local_bytes')) return null;
          return counter === 'llc_occupancy' ? domain * MIB : 5;
        },
      },
    );
    await fs.mkdir('g');
    assert.deepEqual(await readOccupancy(fs, 'g'), [
      { domain: 7, llcOccupancy: 7 * MIB, mbmTotal: 5, mbmLocal: 5 },
      { domain: 16, llcOccupancy: 16 * MIB, mbmTotal: 5, mbmLocal: null },
    ]);
    const unavailable = { llcOccupancy: null, mbmTotal: null, mbmLocal: null };
    assert.deepEqual(await readOccupancy(fs, ''), [
      { domain: 7, ...unavailable },
      { domain: 16, ...unavailable },
    ]);
  });

  test('is empty where nothing is monitored, and an error for no group', async () => {
    const fs = emulate({ machine: { ...amd, rmids: null } });
    await fs.mkdir('g');
    assert.deepEqual(await readOccupancy(fs, 'g'), []);
    assert.equal((await refusal(readOccupancy(fs, 'nobody')))?.code, 'ENOENT');
  });
});

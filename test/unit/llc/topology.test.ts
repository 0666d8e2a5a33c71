import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatCpuList, parseCpuList } from '../../../node/llc/cpu-list.ts';
import { parseGeometry } from '../../../node/llc/geometry.ts';
import { discoverTopology } from '../../../node/llc/topology.ts';

interface FakeCache {
  readonly level: number;
  readonly type?: string;
  readonly id?: number;
  readonly size?: string;
  readonly ways?: number;
  readonly line?: number;
  readonly sets?: number;
  readonly shared: string;
}

/** A throw-away machine: `sys` and `proc` trees with the given caches by CPU. */
class FakeMachine implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async create(files: { allowed?: string; cpuinfo?: string } = {}): Promise<FakeMachine> {
    const machine = new FakeMachine(await mkdtemp(join(tmpdir(), 'fsched-topology-')));
    if (files.allowed !== undefined) {
      await machine.write('proc/self/status', `Name:\tnode\nCpus_allowed_list:\t${files.allowed}\n`);
    }
    if (files.cpuinfo !== undefined) await machine.write('proc/cpuinfo', files.cpuinfo);
    return machine;
  }

  async cpu(cpu: number, caches: readonly FakeCache[], online: boolean | null = true): Promise<this> {
    const root = `sys/devices/system/cpu/cpu${cpu}`;
    await mkdir(join(this.root, root), { recursive: true });
    if (online !== null) await this.write(`${root}/online`, online ? '1\n' : '0\n');
    for (const [index, cache] of caches.entries()) {
      const files: Record<string, string | number | undefined> = {
        level: cache.level,
        type: cache.type ?? 'Unified',
        id: cache.id,
        size: cache.size,
        ways_of_associativity: cache.ways,
        coherency_line_size: cache.line,
        number_of_sets: cache.sets,
        shared_cpu_list: cache.shared,
      };
      for (const [name, value] of Object.entries(files)) {
        if (value !== undefined) await this.write(`${root}/cache/index${index}/${name}`, `${value}\n`);
      }
    }
    return this;
  }

  discover(geometry: { ways: number; wayBytes: number } | null = null) {
    const sysfsRoot = join(this.root, 'sys');
    return discoverTopology({ geometry, sysfsRoot, procRoot: join(this.root, 'proc') });
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(join(this.root, path, '..'), { recursive: true });
    await writeFile(join(this.root, path), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

const l1 = (cpu: number): FakeCache[] => [
  { level: 1, type: 'Data', id: cpu, size: '48K', ways: 12, shared: `${cpu}` },
  { level: 1, type: 'Instruction', id: cpu, size: '32K', ways: 8, shared: `${cpu}` },
];
const MiB = 1024 * 1024;

describe('discoverTopology', () => {
  test('gives one domain a socket', async () => {
    await using machine = await FakeMachine.create({
      allowed: '0-3',
      cpuinfo: 'processor\t: 0\nmodel name\t: Example 9000 @ 2 GHz\n',
    });
    for (let cpu = 0; cpu < 4; cpu++) {
      const socket = cpu >> 1;
      const shared = socket === 0 ? '0-1' : '2-3';
      await machine.cpu(cpu, [...l1(cpu), { level: 3, id: socket, size: '22528K', ways: 11, shared }]);
    }
    assert.deepEqual(await machine.discover(), {
      domains: [
        { id: 0, cpus: [0, 1], ways: 11, wayBytes: 2 * MiB },
        { id: 1, cpus: [2, 3], ways: 11, wayBytes: 2 * MiB },
      ],
      source: 'sysfs',
      cpuModel: 'Example 9000 @ 2 GHz',
    });
  });

  test('keeps the gaps in the ids of AMD core complexes, with CPUs of two threads far apart', async () => {
    await using machine = await FakeMachine.create({ allowed: '0-7' });
    for (let cpu = 0; cpu < 8; cpu++) {
      const ccx = cpu % 4 < 2 ? 0 : 1;
      const shared = ccx === 0 ? '0-1,4-5' : '2-3,6-7';
      await machine.cpu(cpu, [...l1(cpu), { level: 3, id: ccx * 16, size: '32768K', ways: 16, shared }]);
    }
    const { domains } = await machine.discover();
    assert.deepEqual(
      domains.map(({ id, cpus }) => ({ id, cpus })),
      [
        { id: 0, cpus: [0, 1, 4, 5] },
        { id: 16, cpus: [2, 3, 6, 7] },
      ],
    );
  });

  test('leaves out CPUs that are offline or that this process may not use, and domains without any left', async () => {
    await using machine = await FakeMachine.create({ allowed: '0-2' });
    const l3 = (id: number, shared: string): FakeCache => ({ level: 3, id, size: '16M', ways: 16, shared });
    await machine.cpu(0, [l3(0, '0-2')], null);
    await machine.cpu(1, [l3(0, '0-2')], false);
    await machine.cpu(2, [l3(0, '0-2')]);
    await machine.cpu(3, [l3(1, '3')]);
    assert.deepEqual((await machine.discover()).domains, [{ id: 0, cpus: [0, 2], ways: 16, wayBytes: MiB }]);
  });

  test('names a domain by its lowest CPU when the kernel has no ids, whatever CPUs it may use itself', async () => {
    await using machine = await FakeMachine.create({ allowed: '1,3' });
    for (let cpu = 0; cpu < 4; cpu++) {
      await machine.cpu(cpu, [{ level: 3, size: '8192K', ways: 16, shared: cpu < 2 ? '0-1' : '2-3' }]);
    }
    const { domains } = await machine.discover();
    assert.deepEqual(
      domains.map(({ id, cpus }) => ({ id, cpus })),
      [
        { id: 0, cpus: [1] },
        { id: 2, cpus: [3] },
      ],
    );
  });

  test('does not merge caches to which a hypervisor gave the same id', async () => {
    await using machine = await FakeMachine.create({ allowed: '0-1' });
    for (const cpu of [0, 1])
      await machine.cpu(cpu, [{ level: 3, id: 0, size: '1M', ways: 4, shared: `${cpu}` }]);
    assert.deepEqual(
      (await machine.discover()).domains.map((domain) => domain.id),
      [0, 1],
    );
  });

  test('takes the highest data cache where there is no level 3, never an instruction cache', async () => {
    await using machine = await FakeMachine.create({ allowed: '0-1' });
    for (const cpu of [0, 1]) {
      await machine.cpu(cpu, [
        ...l1(cpu),
        { level: 2, id: 0, size: '1024K', ways: 16, shared: '0-1' },
        { level: 4, type: 'Instruction', id: 9, size: '64M', ways: 16, shared: '0-1' },
      ]);
    }
    assert.deepEqual((await machine.discover()).domains, [
      { id: 0, cpus: [0, 1], ways: 16, wayBytes: 64 * 1024 },
    ]);
  });

  test('cuts a cache that tells more ways than a mask has into the assumed number', async () => {
    await using machine = await FakeMachine.create({ allowed: '0' });
    await machine.cpu(0, [{ level: 3, id: 0, size: '16384K', ways: 128, shared: '0' }]);
    assert.deepEqual((await machine.discover()).domains, [{ id: 0, cpus: [0], ways: 16, wayBytes: MiB }]);
  });

  test('derives the size of a way from lines and sets where the kernel gives no size', async () => {
    await using machine = await FakeMachine.create({ allowed: '0' });
    await machine.cpu(0, [{ level: 3, id: 0, ways: 12, line: 64, sets: 2048, shared: '0' }]);
    assert.deepEqual((await machine.discover()).domains, [{ id: 0, cpus: [0], ways: 12, wayBytes: 131072 }]);
  });

  test('keeps the grouping but says that it assumed, where the kernel gives no geometry', async () => {
    await using machine = await FakeMachine.create({ allowed: '0' });
    await machine.cpu(0, [{ level: 3, id: 7, shared: '0' }]);
    const topology = await machine.discover();
    assert.equal(topology.source, 'assumed');
    assert.deepEqual(topology.domains, [{ id: 7, cpus: [0], ways: 16, wayBytes: MiB }]);
  });

  test('assumes one domain over all CPUs where the machine tells nothing', async () => {
    await using machine = await FakeMachine.create();
    const topology = await machine.discover();
    assert.equal(topology.source, 'assumed');
    const cpus = Array.from({ length: availableParallelism() }, (_, index) => index);
    assert.deepEqual(topology.domains, [{ id: 0, cpus, ways: 16, wayBytes: MiB }]);
    assert.notEqual(topology.cpuModel, '');
  });

  test('replaces the geometry of every domain by an override', async () => {
    await using machine = await FakeMachine.create({ allowed: '0-1' });
    for (const cpu of [0, 1])
      await machine.cpu(cpu, [{ level: 3, id: cpu, size: '1M', ways: 4, shared: `${cpu}` }]);
    const topology = await machine.discover({ ways: 12, wayBytes: 256 * 1024 });
    assert.equal(topology.source, 'override');
    assert.deepEqual(
      topology.domains.map(({ ways, wayBytes }) => [ways, wayBytes]),
      [
        [12, 262144],
        [12, 262144],
      ],
    );
  });

  test('finds at least one domain with CPUs on the machine that it runs on', async () => {
    const { domains } = await discoverTopology();
    assert.ok(domains.length > 0);
    for (const domain of domains) assert.ok(domain.cpus.length > 0 && domain.ways > 0 && domain.wayBytes > 0);
  });
});

describe('parseGeometry', () => {
  test('reads ways and the size of a way', () => {
    const cases: [string, number, number][] = [
      ['16x2MiB', 16, 2 * MiB],
      ['12x256KiB', 12, 262144],
      ['1x1GiB', 1, 1024 ** 3],
      [' 8X512k ', 8, 524288],
      ['4x65536', 4, 65536],
    ];
    for (const [text, ways, wayBytes] of cases) {
      assert.deepEqual(parseGeometry(text), { ok: true, value: { ways, wayBytes } });
    }
  });

  test('says what to write instead', () => {
    for (const text of [
      '',
      '16',
      'x',
      '16x',
      'x2MiB',
      '0x1MiB',
      '33x1MiB',
      '16x1',
      '16x2TiB',
      '-1x2MiB',
      '1x2GiB',
    ]) {
      const outcome = parseGeometry(text);
      assert.ok(!outcome.ok, text);
      assert.match(outcome.error.message, /Write for example 16x2MiB/);
    }
  });
});

describe('CPU lists', () => {
  test('survive being written and read', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300)), (cpus) => {
        const sorted = cpus.sort((a, b) => a - b);
        assert.deepEqual(parseCpuList(formatCpuList(sorted)), sorted);
      }),
    );
    assert.equal(formatCpuList([0, 1, 2, 5, 8, 9]), '0-2,5,8-9');
  });
});

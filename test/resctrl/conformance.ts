/**
 * What the daemon relies on in a resctrl filesystem, whichever it is: runs on the emulator with every test run, and
 * on a real mount by `node --import tsx test/resctrl/main.ts`. Works in groups of its own and puts back what it
 * changes.
 */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { fullMask, lowestRun, without } from '../../node/llc/masks.ts';
import { readOccupancy } from '../../node/llc/resctrl/occupancy.ts';
import { formatSchemata, parseSchemata, parseSizes } from '../../node/llc/resctrl/schemata.ts';
import { Bench, type OpenSubject, refusal } from './bench.ts';

export function describeResctrl(label: string, open: OpenSubject): void {
  describe(label, { concurrency: false }, () => {
    const check = (name: string, body: (bench: Bench, test: TestContext) => Promise<void>) =>
      test(name, async (test) => {
        await using subject = await open();
        await subject.fs.locked(async () => {
          await using bench = await Bench.open(subject);
          await body(bench, test);
        });
      });
    check('tells a machine that makes sense', tellsMachine);
    check('starts a group shareable, with ways and without threads', startsGroups);
    check('holds the masks that are written', holdsMasks);
    check('refuses wrong schemata and keeps the old', refusesSchemata);
    check('checks all lines before it applies one', checksAllLines);
    check('refuses an exclusive group that overlaps', refusesOverlap);
    check('keeps others out of an exclusive group', keepsOthersOut);
    check('moves threads, and children with them', movesThreads);
    check('hands the threads of a removed group to the root group', handsBack);
    check('refuses what is no thread', refusesNonThreads);
    check('permits groups at the top only', permitsTopOnly);
    check('runs out of CLOSIDs, and has one again', runsOutOfClosids);
    check('counts in monitor groups', countsInMonitors);
    check('narrows memory bandwidth', narrowsBandwidth);
  });
}

async function tellsMachine(bench: Bench): Promise<void> {
  const { fs, topology } = bench;
  assert.ok(topology.ways >= topology.minWays && topology.ways <= 32);
  assert.equal(bench.fullMask, fullMask(topology.ways));
  assert.ok(topology.closids >= 2);
  assert.ok(topology.domains.length >= 1);
  for (const domain of topology.domains) assert.ok(domain.wayBytes > 0);
  assert.equal(without(topology.shareableBits, bench.fullMask), 0);
  const resources = parseSchemata(await fs.read('schemata')).map(({ resource }) => resource);
  for (const cache of topology.caches) assert.ok(resources.includes(cache));
}

async function startsGroups(bench: Bench): Promise<void> {
  const { fs, topology } = bench;
  const group = await bench.group('new');
  const files = await fs.list(group);
  for (const name of ['cpus', 'cpus_list', 'mode', 'schemata', 'size', 'tasks'])
    assert.ok(files.includes(name));
  assert.equal(await fs.read(`${group}/mode`), 'shareable\n');
  assert.equal(await fs.read(`${group}/tasks`), '');
  assert.equal(await fs.read(`${group}/cpus_list`), '\n');
  const sizes = parseSizes(await fs.read(`${group}/size`));
  for (const { resource, values } of parseSchemata(await fs.read(`${group}/schemata`))) {
    if (!resource.startsWith('L3')) continue;
    assert.deepEqual(
      [...values.keys()],
      topology.domains.map(({ id }) => id),
    );
    for (const [id, mask] of values) {
      const ways = mask.toString(2).replaceAll('0', '').length;
      assert.ok(ways >= topology.minWays);
      const wayBytes = topology.domains.find((domain) => domain.id === id)?.wayBytes;
      assert.equal(sizes.find((line) => line.resource === resource)?.values.get(id), ways * (wayBytes ?? 0));
    }
  }
}

async function holdsMasks(bench: Bench): Promise<void> {
  const { fs, topology, cache, firstDomain } = bench;
  const group = await bench.group('masks');
  const before = parseSchemata(await fs.read(`${group}/schemata`));
  const narrow = fullMask(topology.minWays);
  const written = formatSchemata([{ resource: cache, values: new Map([[firstDomain, narrow]]) }]);
  for (const text of [written, `  ${written}`, `${cache}:${firstDomain}=0x${narrow.toString(16)};\n`]) {
    await fs.write(`${group}/schemata`, bench.fullLines(bench.fullMask));
    await fs.write(`${group}/schemata`, text);
    for (const line of parseSchemata(await fs.read(`${group}/schemata`))) {
      if (!line.resource.startsWith('L3')) continue;
      for (const [id, mask] of line.values) {
        const isWritten = line.resource === cache && id === firstDomain;
        assert.equal(mask, isWritten ? narrow : bench.fullMask, `${line.resource}:${id} after ${text}`);
      }
    }
  }
  // What the kernel writes, padded as it is, can be written back.
  await fs.write(`${group}/schemata`, formatSchemata(before));
  assert.deepEqual(parseSchemata(await fs.read(`${group}/schemata`)), before);
}

async function refusesSchemata(bench: Bench): Promise<void> {
  const { fs, topology, cache, firstDomain: id } = bench;
  const group = await bench.group('wrong');
  const tooWide = (2 ** topology.ways).toString(16);
  const unknown = Math.max(...topology.domains.map((domain) => domain.id)) + 1;
  const wrong: [string, RegExp | null][] = [
    [`${cache}:${id}=1`, null],
    ['', null],
    ['\n', /Missing ':'/],
    [`${cache}:\n`, /Missing '.*' value/],
    [`${cache}:${unknown}=1\n`, null],
    [`${cache}:${id}=${tooWide}\n`, /Mask out of range/],
    [`${cache}:${id}=zz\n`, /Non-hex/],
    [`${cache}:${id}\n`, /Missing '='/],
    [`${cache}:${id}=${bench.fullMask.toString(16)};${id}=${bench.fullMask.toString(16)}\n`, /Duplicate/],
    [`NOSUCH:${id}=1\n`, /Unknown or unsupported resource name 'NOSUCH'/],
  ];
  if (!bench.sparseMasks && topology.ways > 2) wrong.push([`${cache}:${id}=5\n`, /non-consecutive/]);
  if (Number(await fs.read(`info/${cache}/min_cbm_bits`)) > 0)
    wrong.push([`${cache}:${id}=0\n`, /out of range/]);
  const before = await fs.read(`${group}/schemata`);
  for (const [text, why] of wrong) {
    const error = await refusal(fs.write(`${group}/schemata`, text));
    assert.equal(error?.code, 'EINVAL', JSON.stringify(text));
    if (why !== null) assert.match(error?.lastCmdStatus ?? '', why);
    assert.equal(await fs.read(`${group}/schemata`), before, JSON.stringify(text));
  }
}

async function checksAllLines(bench: Bench): Promise<void> {
  const { fs, topology, cache, firstDomain } = bench;
  const group = await bench.group('lines');
  const before = await fs.read(`${group}/schemata`);
  const good = `${cache}:${firstDomain}=${fullMask(topology.minWays).toString(16)}\n`;
  const error = await refusal(fs.write(`${group}/schemata`, `${good}NOSUCH:0=1\n`));
  assert.equal(error?.code, 'EINVAL');
  assert.equal(await fs.read(`${group}/schemata`), before);
}

async function refusesOverlap(bench: Bench): Promise<void> {
  const { fs } = bench;
  const group = await bench.group('overlap');
  await bench.group('other');
  await fs.write(`${group}/schemata`, bench.fullLines(bench.fullMask));
  const error = await refusal(fs.write(`${group}/mode`, 'exclusive\n'));
  assert.equal(error?.code, 'EINVAL');
  assert.match(error?.lastCmdStatus ?? '', /overlaps/);
  assert.equal(await fs.read(`${group}/mode`), 'shareable\n');
  for (const text of ['exclusive', 'bogus\n']) {
    assert.equal((await refusal(fs.write(`${group}/mode`, text)))?.code, 'EINVAL');
  }
}

/** The only one that changes the root group; it gets its ways back whatever happens. */
async function keepsOthersOut(bench: Bench, test: TestContext): Promise<void> {
  const { fs, topology } = bench;
  const usable = lowestRun(without(bench.fullMask, topology.shareableBits));
  const own = (usable & (fullMask(topology.minWays) * (usable & -usable))) >>> 0;
  const rest = lowestRun(without(bench.fullMask, own));
  if ((await bench.groups()).length > 0) return test.skip('other programs have groups here');
  if (own === 0 || rest === 0) return test.skip('all ways are shared with I/O');
  const group = await bench.group('exclusive');
  await fs.write(`${group}/schemata`, bench.fullLines(own));
  await fs.write('schemata', bench.fullLines(rest));
  await fs.write(`${group}/mode`, 'exclusive\n');
  assert.equal(await fs.read(`${group}/mode`), 'exclusive\n');
  const other = await bench.group('kept-out');
  for (const { resource, values } of parseSchemata(await fs.read(`${other}/schemata`))) {
    if (resource.startsWith('L3')) for (const mask of values.values()) assert.equal(mask & own, 0);
  }
  for (const path of [`${other}/schemata`, 'schemata']) {
    const error = await refusal(fs.write(path, bench.fullLines(bench.fullMask)));
    assert.equal(error?.code, 'EINVAL');
    assert.match(error?.lastCmdStatus ?? '', /Overlaps with exclusive group/);
  }
  const growth = await refusal(fs.write(`${group}/schemata`, bench.fullLines(bench.fullMask)));
  assert.equal(growth?.code, 'EINVAL');
  await fs.write(`${group}/mode`, 'shareable\n');
  await fs.write(`${other}/schemata`, bench.fullLines(bench.fullMask));
}

async function movesThreads(bench: Bench): Promise<void> {
  const { fs } = bench;
  const [first, second] = [await bench.group('first'), await bench.group('second')];
  const parent = await bench.spawn();
  assert.ok((await bench.tids('')).includes(parent.pid));
  const before = await parent.fork();
  await fs.write(`${first}/tasks`, `${parent.pid}\n`);
  assert.deepEqual(await bench.tids(first), [parent.pid]);
  assert.ok(!(await bench.tids('')).includes(parent.pid));
  const child = await parent.fork();
  assert.deepEqual((await bench.tids(first)).sort(ascending), [parent.pid, child].sort(ascending));
  // Who was forked before stays where it was.
  assert.ok((await bench.tids('')).includes(before));
  // The newline isn't needed here.
  await fs.write(`${second}/tasks`, String(parent.pid));
  assert.deepEqual(await bench.tids(first), [child]);
  assert.deepEqual(await bench.tids(second), [parent.pid]);
}

async function handsBack(bench: Bench): Promise<void> {
  const { fs } = bench;
  const group = await bench.group('removed');
  const process = await bench.spawn();
  await fs.write(`${group}/tasks`, `${process.pid}\n`);
  await fs.rmdir(group);
  assert.ok((await bench.tids('')).includes(process.pid));
  assert.equal((await refusal(fs.rmdir(group)))?.code, 'ENOENT');
  assert.equal((await refusal(fs.read(`${group}/schemata`)))?.code, 'ENOENT');
}

async function refusesNonThreads(bench: Bench): Promise<void> {
  const { fs } = bench;
  const group = await bench.group('nobody');
  const ended = await bench.spawn();
  await ended.end();
  assert.equal((await refusal(fs.write(`${group}/tasks`, `${ended.pid}\n`)))?.code, 'ESRCH');
  for (const text of ['-1\n', 'abc\n', '1 2\n', '1\n2\n']) {
    assert.equal((await refusal(fs.write(`${group}/tasks`, text)))?.code, 'EINVAL', JSON.stringify(text));
  }
  assert.deepEqual(await bench.tids(group), []);
}

async function permitsTopOnly(bench: Bench): Promise<void> {
  const { fs } = bench;
  const group = await bench.group('top');
  assert.equal((await refusal(fs.mkdir(group)))?.code, 'EEXIST');
  assert.equal((await refusal(fs.mkdir(`${group}/below`)))?.code, 'EPERM');
  assert.equal((await refusal(fs.mkdir('info/below')))?.code, 'EPERM');
  assert.equal((await refusal(fs.rmdir('info')))?.code, 'EPERM');
  assert.equal((await refusal(fs.rmdir(`${group}/tasks`)))?.code, 'ENOTDIR');
  assert.equal((await refusal(fs.write(`${group}/size`, '\n')))?.code, 'EACCES');
  assert.equal((await refusal(fs.write(`${group}/nothing`, '\n')))?.code, 'ENOENT');
  assert.equal((await refusal(fs.read(group)))?.code, 'EISDIR');
  assert.equal((await refusal(fs.list(`${group}/tasks`)))?.code, 'ENOTDIR');
}

async function runsOutOfClosids(bench: Bench, test: TestContext): Promise<void> {
  const { fs, topology } = bench;
  const free = topology.closids - 1 - (await bench.groups()).length;
  if (bench.rmids > 0 && bench.rmids <= topology.closids + 1) return test.skip('RMIDs would run out first');
  const made: string[] = [];
  for (let index = 0; index < free; index++) made.push(await bench.group(`full-${index}`));
  const error = await refusal(bench.group('one-too-many'));
  assert.equal(error?.code, 'ENOSPC');
  assert.match(error?.lastCmdStatus ?? '', /Out of CLOSIDs/);
  const last = made.at(-1);
  if (last === undefined) return;
  await fs.rmdir(last);
  await bench.group('again');
}

async function countsInMonitors(bench: Bench, test: TestContext): Promise<void> {
  const { fs, topology } = bench;
  const group = await bench.group('counted');
  if (bench.rmids === 0) {
    assert.deepEqual(await readOccupancy(fs, group), []);
    return test.skip('nothing is monitored here');
  }
  const monitor = `${group}/mon_groups/part`;
  await bench.mkdir(monitor);
  const process = await bench.spawn();
  const outside = await refusal(fs.write(`${monitor}/tasks`, `${process.pid}\n`));
  assert.equal(outside?.code, 'EINVAL');
  await fs.write(`${group}/tasks`, `${process.pid}\n`);
  await fs.write(`${monitor}/tasks`, `${process.pid}\n`);
  assert.deepEqual(await bench.tids(monitor), [process.pid]);
  assert.deepEqual(await bench.tids(group), [process.pid]);
  for (const path of ['', group, monitor]) {
    const counters = await readOccupancy(fs, path);
    assert.deepEqual(
      counters.map(({ domain }) => domain),
      topology.domains.map(({ id }) => id),
    );
    for (const { llcOccupancy } of counters) assert.ok(llcOccupancy === null || llcOccupancy >= 0);
  }
  await fs.rmdir(monitor);
  assert.deepEqual(await bench.tids(group), [process.pid]);
}

async function narrowsBandwidth(bench: Bench, test: TestContext): Promise<void> {
  const { fs, topology, firstDomain } = bench;
  if (topology.mba === null) return test.skip('this machine has no memory bandwidth allocation');
  const group = await bench.group('bandwidth');
  const { minBandwidth } = topology.mba;
  const read = async () =>
    parseSchemata(await fs.read(`${group}/schemata`))
      .find(({ resource }) => resource === 'MB')
      ?.values.get(firstDomain);
  await fs.write(`${group}/schemata`, `MB:${firstDomain}=${minBandwidth}\n`);
  assert.equal(await read(), minBandwidth);
  assert.equal((await refusal(fs.write(`${group}/schemata`, `MB:${firstDomain}=ten\n`)))?.code, 'EINVAL');
  assert.equal(await read(), minBandwidth);
}

const ascending = (left: number, right: number): number => left - right;

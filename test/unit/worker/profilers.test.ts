import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { measuredGeometry } from '../../../node/llc/profiler-traits.ts';
import { CachegrindProfiler } from '../../../node/worker/profilers/cachegrind.ts';
import {
  ProfilerSet,
  resctrlProfiler,
  wallclockProfiler,
} from '../../../node/worker/profilers/profiler-set.ts';
import { censusOf, estimate, parseSummary } from '../../../predictor/cachegrind.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

describe('the geometry that is measured', () => {
  test('by time: the machine as it is', () => {
    const odd = { ways: 11, wayBytes: 1.375 * MIB };
    assert.deepEqual(measuredGeometry('wallclock', odd), odd);
    assert.deepEqual(measuredGeometry('resctrl', odd), odd);
  });

  test('by cachegrind: a power of two of sets, and the same size in all', () => {
    const cases = [
      [
        { ways: 16, wayBytes: 128 * KIB },
        { ways: 16, wayBytes: 128 * KIB },
      ],
      [
        { ways: 16, wayBytes: 1.25 * MIB },
        { ways: 20, wayBytes: MIB },
      ],
      [
        { ways: 11, wayBytes: 1.375 * MIB },
        { ways: 15, wayBytes: MIB },
      ],
      [
        { ways: 12, wayBytes: 2.25 * MIB },
        { ways: 14, wayBytes: 2 * MIB },
      ],
      [
        { ways: 1, wayBytes: 100 },
        { ways: 2, wayBytes: 64 },
      ],
    ] as const;
    for (const [domain, measured] of cases)
      assert.deepEqual(measuredGeometry('cachegrind', domain), measured);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 32 }),
        fc.integer({ min: 4 * KIB, max: 1024 * MIB }),
        (ways, wayBytes) => {
          const measured = measuredGeometry('cachegrind', { ways, wayBytes });
          assert.ok(Number.isInteger(Math.log2(measured.wayBytes / 64)));
          assert.ok(measured.wayBytes <= wayBytes);
          assert.ok(Math.abs(measured.ways * measured.wayBytes - ways * wayBytes) <= measured.wayBytes / 2);
        },
      ),
    );
  });
});

const HEAD = `desc: I1 cache:         32768 B, 64 B, 8-way associative
desc: D1 cache:         32768 B, 64 B, 8-way associative
desc: LL cache:         393216 B, 64 B, 3-way associative
cmd: ./a 100000
`;
const TAIL = '7 8 9\nsummary: 730317 1258 1239 129557 1226 1008 110700 382 351\n';

describe("cachegrind's output", () => {
  test('misses of instructions, reads and writes are added up', () => {
    assert.deepEqual(parseSummary({ head: HEAD, tail: TAIL }), {
      llBytes: 393216,
      llWays: 3,
      command: './a 100000',
      iRefs: 730317,
      l1Misses: 1258 + 1226 + 382,
      llMisses: 1239 + 1008 + 351,
    });
  });

  test('one way is called direct-mapped', () => {
    const head = HEAD.replace('393216 B, 64 B, 3-way associative', '131072 B, 64 B, direct-mapped');
    assert.equal(parseSummary({ head, tail: TAIL })?.llWays, 1);
  });

  test('a file that was cut short, or of other columns, is none', () => {
    assert.equal(parseSummary({ head: HEAD, tail: 'fn=main\n0 1 2' }), null);
    assert.equal(parseSummary({ head: '', tail: TAIL }), null);
    assert.equal(parseSummary({ head: HEAD, tail: 'summary: 730317\n' }), null);
  });

  test('cycles are those of callgrind: 1 an instruction, 10 an L1 miss, 100 an LLC miss; 1 GHz', () => {
    const process = { llBytes: 1, llWays: 1, command: 'a', iRefs: 1000, l1Misses: 20, llMisses: 3 };
    assert.deepEqual(estimate([process]), {
      seconds: 1500e-9,
      counts: { cycles: 1500, iRefs: 1000, l1Misses: 20, llMisses: 3 },
    });
    assert.equal(censusOf([process]), null);
    const shim = { ...process, command: 'bash shim', iRefs: 4000 };
    assert.deepEqual(estimate([process, shim]), {
      seconds: 6000e-9,
      counts: { cycles: 6000, iRefs: 5000, l1Misses: 40, llMisses: 6 },
    });
    assert.deepEqual(censusOf([process, shim]), { count: 2, mostly: 'bash shim', share: 0.75 });
  });
});

describe('what a program leaves for the collector', () => {
  const measure = { profiler: 'cachegrind', ways: 3, wayBytes: 131_072 } as const;
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'fsched-profiler-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** What is read of a program that did `work` in the folder of its counts. */
  async function readingAfter(work: (folder: string) => Promise<unknown>) {
    const instrument = new CachegrindProfiler({ searchPath: '' }).instrument(measure);
    await instrument.wrap(['true'], directory, null);
    await work(join(directory, '.fsched-cachegrind'));
    await instrument.collect(directory);
    const reading = instrument.reading(1);
    return reading.ok ? reading.value : reading.error;
  }

  test('counts are read', async () => {
    const reading = await readingAfter((folder) => writeFile(join(folder, '1.out'), HEAD + TAIL));
    assert.ok(typeof reading === 'object' && reading.counts?.iRefs === 730317, JSON.stringify(reading));
  });

  test('a link to a file of the node is not followed, and a FIFO is not waited for', async () => {
    const secret = join(directory, 'secret');
    await writeFile(secret, 'TOP SECRET\n');
    for (const name of ['a.log', 'a.out']) {
      for (const put of [symlink, link]) {
        const reading = await readingAfter(async (folder) => {
          await put(secret, join(folder, name));
        });
        assert.ok(typeof reading === 'string' && !reading.includes('SECRET'), JSON.stringify(reading));
        await rm(join(directory, '.fsched-cachegrind'), { recursive: true });
      }
      const waited = await readingAfter(async (folder) => {
        execFileSync('mkfifo', [join(folder, name)]);
      });
      assert.equal(typeof waited, 'string');
      await rm(join(directory, '.fsched-cachegrind'), { recursive: true });
    }
  });

  test('a link in place of the folder is not followed', async () => {
    const elsewhere = join(directory, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, '1.log'), '==1== TOP SECRET\n');
    const reading = await readingAfter(async (folder) => {
      await rm(folder, { recursive: true });
      await symlink(elsewhere, folder);
    });
    assert.ok(typeof reading === 'string' && !reading.includes('SECRET'), JSON.stringify(reading));
  });

  test('of a log only the end is read, and it cannot move a cursor', async () => {
    const reading = await readingAfter(async (folder) => {
      await truncate(await emptyFile(join(folder, '1.log')), 2 ** 33);
      await appendFile(join(folder, '1.log'), '\n==1== no \u001b[2J memory\n');
    });
    assert.equal(reading, 'valgrind left no counts (no \ufffd[2J memory)');
  });

  test('counts that make no sense are no measurement', async () => {
    const reading = await readingAfter((folder) =>
      writeFile(join(folder, '1.out'), `${HEAD}summary: 99999999999999999999 0 0 0 0 0 0 0 0\n`),
    );
    assert.equal(reading, 'its counts make no sense');
  });
});

async function emptyFile(path: string): Promise<string> {
  await writeFile(path, '');
  return path;
}

describe('what a node can measure by', () => {
  const nowhere = new CachegrindProfiler({ searchPath: '/nonexistent' });
  const measure = { profiler: 'cachegrind', ways: 1, wayBytes: 64 } as const;

  test('without valgrind and partitions only time, and a sentence for the others', async () => {
    const set = new ProfilerSet([resctrlProfiler({ enforces: () => false }), nowhere, wallclockProfiler], {
      logger: silentLogger,
    });
    await set.start();
    assert.deepEqual(set.names(), ['wallclock']);
    const refused = set.instrument(measure);
    assert.match(
      refused.ok ? '' : refused.error,
      /can't measure by cachegrind: .*install the package valgrind/,
    );
    const partition = set.instrument({ ...measure, profiler: 'resctrl' });
    assert.match(partition.ok ? '' : partition.error, /does not hold cache partitions/);
  });

  test('resctrl comes first where partitions are held; time is the time of the program', async () => {
    const set = new ProfilerSet([wallclockProfiler, resctrlProfiler({ enforces: () => true })], {
      logger: silentLogger,
    });
    await set.start();
    assert.deepEqual(set.names(), ['resctrl', 'wallclock']);
    const instrument = set.instrument({ ...measure, profiler: 'wallclock' });
    assert.ok(instrument.ok);
    assert.deepEqual(await instrument.value.wrap(['/bin/true', 'x'], '/', null), ['/bin/true', 'x']);
    const reading = instrument.value.reading(1_500_000);
    assert.deepEqual(reading.ok && reading.value, { seconds: 0.0015, counts: null, processes: null });
  });
});

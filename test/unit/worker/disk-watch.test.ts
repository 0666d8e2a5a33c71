/** When runs are counted, and which of them ends. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { DiskWatch, type DiskWatchDependencies } from '../../../node/worker/disk-watch.ts';
import type { RunUsage } from '../../../node/worker/run-usage.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { MAPPER, NO_MAPPINGS } from '../../support/mapped-file.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { LaunchBench } from './launch-bench.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

const NOBODYS = { pid: 1, uid: null, reachesShared: true, readWrittenBytes: () => 0, startBytes: 0 };

/** A disk and runs on it, as the test says. */
class Bench {
  readonly clock = new FakeClock();
  free = 100 * GIB;
  isLow = false;
  /** On the tightest disk, where that is another one. */
  otherFree: number | null = null;
  counts = 0;
  /** Null: its count goes on for ever. */
  readonly usages = new Map<string, RunUsage | null>();
  readonly ended: string[] = [];
  readonly #cancels = new Map<string, () => void>();
  readonly watch = new DiskWatch(
    { bytes: GIB, files: 1000 },
    {
      clock: this.clock,
      logger: silentLogger,
      readSpace: async () => ({ sizeBytes: 1000 * GIB, freeBytes: this.free, files: 0, freeFiles: 0 }),
      reserve: reserveOf(
        () => this.isLow,
        () => this.otherFree ?? this.free,
      ),
      measure: async (_root, runs, onCounted) => {
        this.counts += 1;
        await Promise.all(
          runs.map(async ({ name }) => {
            const usage = this.usages.get(name) ?? (await new Promise<never>(() => undefined));
            onCounted(name, usage);
          }),
        );
      },
    },
  );

  run(name: string): void {
    const end = (why: string) => this.ended.push(`${name}: ${why}`);
    this.#cancels.set(name, this.watch.watch({ ...NOBODYS, directory: `/work/${name}`, end }));
    this.keep(name, 0);
  }

  keep(name: string, bytes: number, more: Partial<RunUsage> = {}): void {
    this.usages.set(name, { bytes, files: 1, writtenBytes: 0, isWhole: true, ...more });
  }

  get endedRuns(): string[] {
    return this.ended.map((line) => line.split(':')[0] ?? '');
  }

  over(name: string): void {
    this.#cancels.get(name)?.();
  }
}

function reserveOf(isLow: () => boolean, free: () => number): DiskWatchDependencies['reserve'] {
  return {
    look: async () => undefined,
    get room() {
      return { directory: '/work', freeBytes: free(), reserveBytes: 0, isLow: isLow() };
    },
  };
}

describe('runs on a disk with room', () => {
  test('are counted now and then, and at once when much of it goes; a run beyond its limit ends', async () => {
    const bench = new Bench();
    bench.run('a');
    bench.run('b');
    await bench.clock.pass(300);
    assert.equal(bench.counts, 1);
    await bench.clock.pass(9_000);
    assert.equal(bench.counts, 1, 'nothing has changed');
    await bench.clock.pass(1_000);
    assert.equal(bench.counts, 2);
    bench.free -= 600 * MIB;
    bench.keep('a', 600 * MIB);
    await bench.clock.pass(250);
    assert.equal(bench.counts, 3);
    // The less a run has left, the earlier it is counted.
    bench.free -= 250 * MIB;
    bench.keep('a', 850 * MIB);
    await bench.clock.pass(250);
    assert.equal(bench.counts, 4);
    assert.deepEqual(bench.ended, []);
    bench.free -= 200 * MIB;
    bench.keep('a', 1050 * MIB);
    await bench.clock.pass(250);
    assert.equal(bench.ended.length, 1);
    assert.match(
      bench.ended[0] ?? '',
      /^a: the run kept more than 1024 MiB on disk \(1050 MiB\).*--disk-limit$/,
    );
    await bench.clock.pass(30_000);
    assert.equal(bench.ended.length, 1, 'once');
  });

  test('end for too many files', async () => {
    const bench = new Bench();
    bench.run('a');
    bench.keep('a', 0, { files: 1001 });
    await bench.clock.pass(300);
    assert.match(bench.ended[0] ?? '', /^a: the run kept more than 1000 files \(1001\).*--file-limit$/);
  });

  test('cost nothing when there are none', async () => {
    const bench = new Bench();
    bench.run('a');
    await bench.clock.pass(300);
    bench.over('a');
    assert.deepEqual(bench.clock.pending(), []);
    await bench.watch.look();
    assert.equal(bench.counts, 1);
  });
});

describe('a run whose count lasts', () => {
  test('keeps no other from being counted', async () => {
    const bench = new Bench();
    bench.run('endless');
    bench.run('a');
    bench.usages.set('endless', null);
    await bench.clock.pass(300);
    bench.keep('a', 1100 * MIB);
    bench.free -= 1100 * MIB;
    await bench.clock.pass(300);
    assert.deepEqual(bench.endedRuns, ['a']);
  });

  test('keeps no run from being ended when the disk is nearly full', async () => {
    const bench = new Bench();
    bench.run('endless');
    bench.run('a');
    await bench.clock.pass(300);
    bench.usages.set('endless', null);
    bench.isLow = true;
    bench.keep('a', 20 * MIB);
    await bench.clock.pass(600);
    assert.deepEqual(bench.endedRuns, ['a']);
  });

  test('is ended when it could not be counted twice, and not for once', async () => {
    const bench = new Bench();
    bench.run('a');
    bench.keep('a', 10 * MIB, { isWhole: false });
    await bench.clock.pass(300);
    bench.keep('a', 10 * MIB);
    await bench.clock.pass(10_000);
    bench.keep('a', 10 * MIB, { isWhole: false });
    await bench.clock.pass(10_000);
    assert.deepEqual(bench.ended, []);
    await bench.clock.pass(10_000);
    assert.match(
      bench.ended.join(),
      /^a: what the run kept .* could not be counted in time \(at least 10 MiB/,
    );
  });
});

describe('runs on a disk that fills on though none is seen to grow', () => {
  test('end one after the other, the youngest first, until it no longer does', async () => {
    const bench = new Bench();
    for (const name of ['old', 'middle', 'young']) bench.run(name);
    await bench.clock.pass(300);
    bench.isLow = true;
    bench.free = GIB;
    await bench.clock.pass(60_000);
    assert.deepEqual(bench.ended, [], 'nobody is to blame while nothing goes');
    const fillUntil = async (ended: number) => {
      for (let looks = 0; bench.ended.length < ended && looks < 40; looks += 1) {
        bench.free -= 4 * MIB;
        await bench.clock.pass(250);
      }
    };
    await fillUntil(1);
    assert.deepEqual(bench.endedRuns, ['young']);
    assert.match(bench.ended[0] ?? '', /filled on, though no run was seen to write/);
    bench.over('young');
    await fillUntil(2);
    assert.deepEqual(bench.endedRuns, ['young', 'middle']);
    bench.over('middle');
    await bench.clock.pass(60_000);
    assert.equal(bench.ended.length, 2, 'it fills no more');
  });

  test('end when nothing at all is free, for then nothing can go', async () => {
    const bench = new Bench();
    bench.run('a');
    await bench.clock.pass(300);
    bench.isLow = true;
    bench.free = 0;
    await bench.clock.pass(3_000);
    assert.deepEqual(bench.endedRuns, ['a']);
  });

  test('end first where their count lasts', async () => {
    const bench = new Bench();
    for (const name of ['old', 'endless', 'young']) bench.run(name);
    await bench.clock.pass(300);
    bench.usages.set('endless', null);
    bench.isLow = true;
    bench.free = 0;
    await bench.clock.pass(3_000);
    assert.deepEqual(bench.endedRuns, ['endless']);
  });

  test('end not for another disk that is full', async () => {
    const bench = new Bench();
    bench.run('a');
    bench.otherFree = 0;
    bench.isLow = true;
    for (let i = 0; i < 40; i += 1) {
      bench.free -= 8 * MIB;
      await bench.clock.pass(250);
    }
    assert.deepEqual(bench.ended, []);
  });
});

describe('runs on a disk that is nearly full', () => {
  test('are known by the files that they make', async () => {
    const bench = new Bench();
    bench.run('a');
    await bench.clock.pass(300);
    bench.isLow = true;
    bench.keep('a', 0, { files: 500 });
    await bench.clock.pass(600);
    assert.deepEqual(bench.endedRuns, ['a']);
  });

  test('end one after the other, the largest first, as long as they grow', async () => {
    const bench = new Bench();
    for (const name of ['small', 'large', 'idle']) bench.run(name);
    bench.keep('idle', 900 * MIB);
    await bench.clock.pass(300);
    bench.isLow = true;
    bench.keep('small', 10 * MIB);
    bench.keep('large', 20 * MIB);
    await bench.clock.pass(300);
    assert.deepEqual(
      bench.ended.map((line) => line.split(':')[0]),
      ['large'],
    );
    assert.match(bench.ended[0] ?? '', /the disk of its node was nearly full.*20 MiB/);
    await bench.clock.pass(1_000);
    assert.equal(bench.ended.length, 1, 'its end may be enough');
    bench.over('large');
    await bench.clock.pass(300);
    assert.deepEqual(
      bench.ended.map((line) => line.split(':')[0]),
      ['large', 'small'],
    );
    bench.over('small');
    await bench.clock.pass(60_000);
    assert.equal(bench.ended.length, 2, 'what does not grow is not to blame');
  });

  test('are known by what they write, where they keep nothing that can be found', async () => {
    const bench = new Bench();
    bench.run('writer');
    bench.run('other');
    await bench.clock.pass(300);
    bench.isLow = true;
    bench.keep('writer', 0, { writtenBytes: 100 * MIB });
    await bench.clock.pass(300);
    assert.deepEqual(
      bench.ended.map((line) => line.split(':')[0]),
      ['writer'],
    );
    await settled();
  });
});

describe('a program that fills the disk', () => {
  const limits = { bytes: 8 * MIB, files: 500 };
  const script = (body: string): string => `
    const fs = require('node:fs');
    const step = Buffer.alloc(256 * 1024, 7);
    ${body}
    setInterval(() => {}, 1000);`;

  for (const [how, body] of [
    ['with many files', "for (let i = 0; i < 80; i++) fs.writeFileSync('f' + i, step);"],
    [
      'deep down',
      "for (let i = 0; i < 60; i++) { const d = String(i).padStart(200, '0'); fs.mkdirSync(d); process.chdir(d); fs.writeFileSync('f', step); }",
    ],
    [
      'with files without a name',
      "for (let i = 0; i < 80; i++) { const fd = fs.openSync('f', 'w'); fs.unlinkSync('f'); fs.writeSync(fd, step); }",
    ],
    [
      'from a process that left its session',
      `
      const { spawn } = require('node:child_process');
      const write = "const fs = require('node:fs'); const fd = fs.openSync('f', 'w'); fs.unlinkSync('f'); for (let i = 0; i < 80; i++) fs.writeSync(fd, Buffer.alloc(256 * 1024, 7)); setInterval(() => {}, 1000);";
      spawn(process.execPath, ['-e', write], { detached: true, env: {} });`,
    ],
  ] as const) {
    test(`${how} is ended, and the run has failed for good`, async () => {
      await using bench = await LaunchBench.create({ disk: limits });
      const report = await bench.run(script(body));
      assert.equal(report.state, 'failed');
      assert.match(report.error ?? '', /^the run kept more than 8 MiB on disk/);
    });
  }

  const skip = process.geteuid?.() === 0 ? false : 'only root can give runs users of their own';
  for (const [how, source] of [
    ['outside of its directory', 'head -c 20000000 /dev/zero > "$(mktemp -p /tmp)"; sleep 1000'],
    [
      'without a name, from a process that nothing but its user ties to it',
      `cd /; (exec env -i setsid sh -c 'f=$(mktemp -p /tmp); exec 5> $f; rm $f; head -c 20000000 /dev/zero >&5; sleep 1000' &); sleep 1000`,
    ],
  ] as const) {
    test(`${how} is ended where runs have users of their own`, { skip }, async () => {
      const first = 1_850_000_000 + randomInt(50_000_000);
      await using bench = await LaunchBench.create({
        disk: limits,
        isolation: { runAs: { first, last: first } },
      });
      const report = await bench.run(source, { command: 'sh' });
      assert.match(report.error ?? '', /^the run kept more than 8 MiB on disk/);
    });
  }

  test('with empty files is ended', async () => {
    await using bench = await LaunchBench.create({ disk: limits });
    const report = await bench.run(script("for (let i = 0; i < 600; i++) fs.writeFileSync('f' + i, '');"));
    assert.match(report.error ?? '', /^the run kept more than 500 files/);
  });

  test('with names of one file is ended', async () => {
    await using bench = await LaunchBench.create({ disk: limits });
    const report = await bench.run(
      script("fs.writeFileSync('f', ''); for (let i = 0; i < 600; i++) fs.linkSync('f', 'f' + i);"),
    );
    assert.match(report.error ?? '', /^the run kept more than 500 files/);
  });

  test('in mappings alone, of a process that nobody waits for, is ended', { skip: NO_MAPPINGS }, async () => {
    await using bench = await LaunchBench.create({ disk: limits });
    const mapper = `require('node:child_process').spawn('python3', ['-c', ${JSON.stringify(MAPPER)}, 'f', '20']);`;
    const report = await bench.run(script(mapper));
    assert.match(report.error ?? '', /^the run kept more than 8 MiB on disk/);
  });

  test('with one large file is ended by the kernel', async () => {
    const isolation = {
      limits: { memoryBytes: null, cpus: null, processes: null, openFiles: null, fileBytes: 8 * MIB },
    };
    await using bench = await LaunchBench.create({ isolation });
    const report = await bench.run('head -c 20000000 /dev/zero > large', { command: 'sh' });
    assert.equal(report.state, 'failed');
    const size = await bench.run('head -c 20000000 /dev/zero > large; stat -c %s large', { command: 'sh' });
    assert.equal(size.stdout, `${8 * MIB}\n`);
    const itself = await bench.run('trap - XFSZ; exec head -c 20000000 /dev/zero > large', { command: 'sh' });
    assert.match(itself.error ?? '', /a file larger than a run may keep/);
  });
});

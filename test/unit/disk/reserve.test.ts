import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Ballast } from '../../../node/disk/ballast.ts';
import { DiskReserve, type ReserveSize, type Room } from '../../../node/disk/reserve.ts';
import type { DiskSpace } from '../../../node/disk/space.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

class Bench {
  readonly clock = new FakeClock();
  readonly disks = new Map<string, DiskSpace>([['/data', spaceOf(100 * GIB)]]);
  changes = 0;
  kept = 0;
  readonly reserve: DiskReserve;

  constructor(size: ReserveSize = { share: 0.05, bytes: 64 * MIB }) {
    this.reserve = new DiskReserve(
      { directory: '/data', size },
      {
        readSpace: async (path) => this.disks.get(path) ?? null,
        ballast: { keep: () => void this.kept++, stop: async () => undefined },
        onChange: () => void this.changes++,
        clock: this.clock,
        logger: silentLogger,
      },
    );
  }
}

function spaceOf(sizeBytes: number, freeBytes = sizeBytes, freeFiles = 1e6): DiskSpace {
  return { sizeBytes, freeBytes, files: 1e6, freeFiles };
}

describe('the reserve of a disk', () => {
  test('is a share of it, and at least so much', async () => {
    for (const [size, reserveBytes] of [
      [100 * GIB, 5 * GIB],
      [GIB, 64 * MIB],
    ] as const) {
      const bench = new Bench();
      bench.disks.set('/data', spaceOf(size));
      await bench.reserve.look();
      assert.equal(bench.reserve.room?.reserveBytes, reserveBytes);
    }
  });

  test('closes the node to runs and uploads, and opens it again only when there is clearly more', async () => {
    const bench = new Bench();
    await bench.reserve.start();
    assert.deepEqual([bench.reserve.shortage, bench.changes], [null, 0]);
    bench.disks.set('/data', spaceOf(100 * GIB, 5 * GIB - 1));
    await bench.clock.pass(1_000);
    assert.match(bench.reserve.shortage ?? '', /^the disk of \/data is full: 5119 MiB are free, .* 5120 MiB/);
    assert.equal(bench.changes, 1);
    bench.disks.set('/data', spaceOf(100 * GIB, 5 * GIB + MIB));
    await bench.clock.pass(5_000);
    assert.notEqual(bench.reserve.shortage, null);
    bench.disks.set('/data', spaceOf(100 * GIB, 6 * GIB));
    await bench.clock.pass(1_000);
    assert.deepEqual([bench.reserve.shortage, bench.changes], [null, 2]);
    await bench.reserve.stop();
    assert.deepEqual(bench.clock.pending(), []);
  });

  test('is one of files, too, and of each disk that the node works on', async () => {
    const bench = new Bench();
    bench.disks.set('/data', spaceOf(100 * GIB, 100 * GIB, 1000));
    await bench.reserve.look();
    assert.match(bench.reserve.shortage ?? '', /hardly a file can be made/);
    bench.disks.set('/data', spaceOf(100 * GIB));
    bench.reserve.include('/work');
    bench.disks.set('/work', spaceOf(GIB, 0));
    await bench.reserve.look();
    assert.match(bench.reserve.shortage ?? '', /the disk of \/work is full/);
  });

  test('of a disk that tells nothing closes nothing', async () => {
    const bench = new Bench();
    bench.disks.clear();
    await bench.reserve.look();
    assert.deepEqual([bench.reserve.shortage, bench.reserve.room], [null, null]);
  });
});

describe('the ballast', () => {
  const roomy: Room = { directory: '/', freeBytes: GIB, reserveBytes: MIB, isLow: false };

  async function inDirectory(work: (path: string) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'fsched-ballast-'));
    try {
      await work(join(directory, 'ballast'));
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  const open = (path: string, free = GIB): Ballast =>
    new Ballast(
      { path, bytes: 3 * MIB + 5 },
      { readSpace: async () => spaceOf(GIB, free), logger: silentLogger },
    );

  test('takes up room where there is more than the reserve, and is given up once', () =>
    inDirectory(async (path) => {
      const ballast = open(path);
      await ballast.start();
      ballast.keep({ ...roomy, isLow: true });
      ballast.keep({ ...roomy, freeBytes: 2 * MIB });
      ballast.keep(null);
      assert.equal(await ballast.giveUp(), false);
      ballast.keep(roomy);
      assert.equal(await ballast.giveUp(), true, 'also when it is just being made');
      assert.equal(await ballast.giveUp(), false);
      ballast.keep(roomy);
      await ballast.stop();
      assert.ok(statSync(path).blocks * 512 >= 3 * MIB);
      assert.equal(statSync(path).size, 3 * MIB + 5);
    }));

  test('of an earlier start is kept, made again when a crash left half of it, and given up on a full disk', () =>
    inDirectory(async (path) => {
      await writeFile(path, 'half');
      const first = open(path);
      await first.start();
      first.keep(roomy);
      await first.stop();
      assert.equal(statSync(path).size, 3 * MIB + 5);
      const second = open(path);
      await second.start();
      assert.ok(existsSync(path));
      await open(path, MIB).start();
      assert.ok(!existsSync(path));
    }));
});

/** A log whose disk is full waits, and loses nothing. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { type LogStore, LogStoreError, type LogWrite } from '../../../node/consensus/log-store.ts';
import type { Entry } from '../../../node/consensus/types.ts';
import { openLevelLogStore } from '../../../node/store/level-log-store.ts';
import { openPatientLogStore, type PatientLogStore } from '../../../node/store/patient-log-store.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { MemoryDisk, MemoryLogStore } from '../../support/memory-log-store.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { NO_SMALL_DISK, SmallDisk } from '../../support/small-disk.ts';

const entry = (index: number, bytes = 1): Entry => ({
  kind: 'command',
  term: 1,
  index,
  data: new Uint8Array(bytes).fill(index),
});
const writeOf = (...entries: Entry[]): LogWrite => ({
  hardState: { term: 1, votedFor: 'a', commitIndex: 0 },
  entries,
});

/** A store in memory whose disk is as full as the test says. */
class FullableStore extends MemoryLogStore {
  readonly #isFull: () => boolean;

  constructor(disk: MemoryDisk, isFull: () => boolean) {
    super(disk);
    this.#isFull = isFull;
  }

  override async write(write: LogWrite): Promise<void> {
    if (this.#isFull()) throw new LogStoreError('FULL', 'no room');
    await super.write(write);
  }
}

async function openFullable(ballast = 0) {
  const clock = new FakeClock();
  const disk = new MemoryDisk();
  const seen = { full: false, opened: 0, asked: 0, ballast, words: 0 };
  const store = await openPatientLogStore({
    open: async () => {
      seen.opened += 1;
      return new FullableStore(disk, () => seen.full);
    },
    onFull: () => {
      seen.asked += 1;
    },
    makeRoom: async () => {
      if (seen.ballast === 0) return false;
      seen.ballast -= 1;
      seen.full = false;
      return true;
    },
    clock,
    logger: {
      ...silentLogger,
      error() {
        seen.words += 1;
      },
    },
  });
  return { clock, store, seen };
}

describe('a log store on a full disk', () => {
  test('waits for room, asks for it, opens its files anew, and keeps the order', async () => {
    const { clock, store, seen } = await openFullable();
    seen.full = true;
    let written = 0;
    const writes = [1, 2, 3].map((index) => store.write(writeOf(entry(index))).then(() => written++));
    await clock.pass(30_000);
    assert.equal(written, 0);
    assert.equal(store.waits, true);
    assert.equal(seen.words, 1);
    await clock.pass(40_000);
    assert.equal(seen.words, 2, 'who looks into the log later must find it, too');
    assert.ok(seen.asked > 10 && seen.opened > 10, JSON.stringify(seen));
    seen.full = false;
    await clock.until(() => written === 3);
    await Promise.all(writes);
    assert.equal(store.waits, false);
    assert.deepEqual(
      (await store.load()).entries.map(({ index }) => index),
      [1, 2, 3],
    );
  });

  test('takes what is kept for it when no room comes by itself', async () => {
    const { clock, store, seen } = await openFullable(1);
    seen.full = true;
    const write = store.write(writeOf(entry(1)));
    await settled();
    assert.equal(seen.ballast, 1, 'not at once: whoever fills the disk would take that, too');
    await clock.until(() => seen.ballast === 0);
    await write;
  });

  test('waits no longer than the node runs', async () => {
    const { clock, store, seen } = await openFullable();
    seen.full = true;
    const write = store.write(writeOf(entry(1)));
    await clock.pass(1_000);
    store.giveUp();
    await assert.rejects(write, { code: 'FULL' });
    await store.close();
    await assert.rejects(store.write(writeOf(entry(1))), { code: 'CLOSED' });
  });

  test('another error of the disk is told at once', async () => {
    const broken = { write: () => Promise.reject(new LogStoreError('DISK', 'broken')) };
    const store = await openPatientLogStore({
      open: async () => broken as unknown as LogStore,
      onFull: () => assert.fail('it is not full'),
      makeRoom: async () => false,
      clock: new FakeClock(),
      logger: silentLogger,
    });
    await assert.rejects(store.write(writeOf(entry(1))), { code: 'DISK' });
  });
});

test('LevelDB on a disk that fills up again and again loses nothing', { skip: NO_SMALL_DISK }, async () => {
  using disk = new SmallDisk(24 * 1024 ** 2);
  const hog = join(disk.path, 'hog');
  const directory = join(disk.path, 'log');
  const open = (onFull: () => void): Promise<PatientLogStore> =>
    openPatientLogStore({
      open: () => openLevelLogStore({ directory }),
      onFull,
      makeRoom: async () => false,
      clock: systemClock,
      logger: silentLogger,
    });
  let waited = 0;
  {
    await using store = await open(() => {
      waited += 1;
    });
    for (let index = 1; index <= 60; index += 1) {
      if (index % 20 === 0) await fill(hog);
      const before = waited;
      const write = store.write(writeOf(entry(index, 40_000)));
      if (index % 20 === 0) {
        await eventually('the log to wait', async () => waited >= before + 2);
        await rm(hog);
      }
      await write;
    }
  }
  assert.ok(waited >= 6, `${waited}`);
  await using again = await open(() => undefined);
  const { entries } = await again.load();
  assert.equal(entries.length, 60);
  for (const { index, ...rest } of entries) {
    assert.deepEqual(rest.kind === 'command' && [...new Set(rest.data)], [index]);
  }
});

test('a log on a disk without a free byte opens as soon as there is one', {
  skip: NO_SMALL_DISK,
}, async () => {
  using disk = new SmallDisk(12 * 1024 ** 2);
  const hog = join(disk.path, 'hog');
  const directory = join(disk.path, 'log');
  {
    await using store = await openLevelLogStore({ directory });
    for (let index = 1; index <= 10; index += 1) await store.write(writeOf(entry(index, 40_000)));
  }
  await fill(hog);
  let made = false;
  await using store = await openPatientLogStore({
    open: () => openLevelLogStore({ directory }),
    onFull: () => undefined,
    makeRoom: async () => {
      if (made) return false;
      made = true;
      await rm(hog);
      return true;
    },
    clock: systemClock,
    logger: silentLogger,
  });
  assert.ok(made);
  assert.equal((await store.load()).entries.length, 10);
});

/** To the last byte. */
async function fill(path: string): Promise<void> {
  const step = Buffer.alloc(64 * 1024, 1);
  for (let size = step.length; size > 0; size >>= 1) {
    for (;;) {
      try {
        await writeFile(path, step.subarray(0, size), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}

/** One contract for every `LogStore`, and what only the one on disk can get wrong. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Level } from 'level';
import { INITIAL_HARD_STATE, type LogStore } from '../../../node/consensus/log-store.ts';
import type { Entry } from '../../../node/consensus/types.ts';
import { openLevelLogStore } from '../../../node/store/level-log-store.ts';
import { MemoryDisk, MemoryLogStore } from '../../support/memory-log-store.ts';

const command = (term: number, index: number): Entry => ({
  kind: 'command',
  term,
  index,
  data: Uint8Array.of(term, index),
});
const run = (term: number, from: number, to: number): Entry[] =>
  Array.from({ length: to - from + 1 }, (_, offset) => command(term, from + offset));
const hard = (term: number) => ({ term, votedFor: 'a', commitIndex: 0 });

interface Home extends AsyncDisposable {
  /** Opens the same store again and again. */
  open(): Promise<LogStore>;
}

async function memoryHome(): Promise<Home> {
  const disk = new MemoryDisk();
  return { open: async () => new MemoryLogStore(disk), [Symbol.asyncDispose]: async () => {} };
}

async function levelHome(): Promise<Home & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-log-'));
  return {
    directory,
    open: () => openLevelLogStore({ directory: join(directory, 'log') }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

for (const [name, newHome] of [
  ['memory', memoryHome],
  ['level', levelHome],
] as const) {
  describe(`the log store contract: ${name}`, () => {
    test('a new store is empty', async () => {
      await using home = await newHome();
      await using store = await home.open();
      assert.deepEqual(await store.load(), { hardState: INITIAL_HARD_STATE, entries: [] });
      assert.equal(await store.get('cluster'), null);
    });

    test('what was written is there after closing and opening', async () => {
      await using home = await newHome();
      const configuration = { voters: ['a', 'b'], learners: ['c'] };
      const entries: Entry[] = [
        { kind: 'configuration', term: 1, index: 1, configuration },
        { kind: 'noop', term: 2, index: 2 },
        ...run(2, 3, 120),
      ];
      {
        await using store = await home.open();
        await store.write({ hardState: hard(2), entries: entries.slice(0, 2) });
        await store.write({
          hardState: { term: 2, votedFor: null, commitIndex: 2 },
          entries: entries.slice(2),
        });
      }
      await using store = await home.open();
      const loaded = await store.load();
      assert.deepEqual(loaded.hardState, { term: 2, votedFor: null, commitIndex: 2 });
      assert.equal(loaded.entries.length, 120);
      assert.deepEqual(
        loaded.entries.map(({ index, term, kind }) => [index, term, kind]),
        entries.map(({ index, term, kind }) => [index, term, kind]),
      );
      const [first, , third] = loaded.entries;
      assert.deepEqual(first?.kind === 'configuration' && first.configuration, configuration);
      assert.deepEqual(third?.kind === 'command' && [...third.data], [2, 3]);
    });

    test('entries replace everything from their first index on, also what was there before it was opened', async () => {
      await using home = await newHome();
      {
        await using store = await home.open();
        await store.write({ hardState: hard(1), entries: run(1, 1, 30) });
      }
      await using store = await home.open();
      await store.write({ hardState: hard(2), entries: run(2, 11, 12) });
      const terms = (await store.load()).entries.map(({ term }) => term);
      assert.deepEqual(terms, [...Array<number>(10).fill(1), 2, 2]);
      await store.write({ hardState: hard(3), entries: [] });
      assert.equal((await store.load()).entries.length, 12, 'no entries: the log stays');
      await store.write({ hardState: hard(3), entries: run(3, 1, 1) });
      assert.equal((await store.load()).entries.length, 1);
    });

    test('values of the node are put, replaced and deleted; clear forgets the log and leaves them', async () => {
      await using home = await newHome();
      {
        await using store = await home.open();
        await store.put('cluster', Uint8Array.of(1));
        await store.put('cluster', Uint8Array.of(2));
        await store.put('other', Uint8Array.of(3));
        await store.put('other', null);
        await store.write({ hardState: hard(5), entries: run(5, 1, 40) });
        await store.clear();
      }
      await using store = await home.open();
      assert.deepEqual(await store.load(), { hardState: INITIAL_HARD_STATE, entries: [] });
      assert.deepEqual([...((await store.get('cluster')) ?? [])], [2]);
      assert.equal(await store.get('other'), null);
      await store.write({ hardState: hard(1), entries: run(1, 1, 2) });
      assert.equal((await store.load()).entries.length, 2);
    });

    test('writes that are not awaited are carried out in order', async () => {
      await using home = await newHome();
      await using store = await home.open();
      // A store with threads of its own may have the order right by chance.
      for (let term = 1; term < 300; term += 3) {
        await Promise.all([
          store.write({ hardState: hard(term), entries: run(term, 1, 50) }),
          store.write({ hardState: hard(term + 1), entries: run(term + 1, 20, 60) }),
          store.write({ hardState: hard(term + 2), entries: run(term + 2, 40, 41) }),
        ]);
        const { entries, hardState } = await store.load();
        assert.equal(hardState.term, term + 2);
        assert.deepEqual(
          [entries.length, entries[18]?.term, entries[38]?.term, entries[40]?.term],
          [41, term, term + 1, term + 2],
        );
      }
    });

    test('a closed store refuses with CLOSED; closing twice is harmless', async () => {
      await using home = await newHome();
      const store = await home.open();
      await store.close();
      await store.close();
      await assert.rejects(store.load(), { code: 'CLOSED' });
      await assert.rejects(store.write({ hardState: hard(1), entries: [] }), { code: 'CLOSED' });
    });
  });
}

describe('the log store in memory', () => {
  test('loses what is not synced in a crash', async () => {
    const store = new MemoryLogStore();
    await store.write({ hardState: hard(1), entries: run(1, 1, 2) });
    store.autoSync = false;
    void store.write({ hardState: hard(2), entries: run(2, 3, 4) });
    assert.equal(store.unsynced, 1);
    const after = await new MemoryLogStore(store.crash()).load();
    assert.deepEqual([after.hardState.term, after.entries.length], [1, 2]);
  });
});

describe('the log store on disk', () => {
  test('a directory that another daemon uses is LOCKED, and says what to do', async () => {
    await using home = await levelHome();
    await using _first = await home.open();
    await assert.rejects(home.open(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'LOCKED');
      assert.match(error.message, /in use by another process; stop the other daemon/);
      return true;
    });
  });

  test('a directory with something else in it is FOREIGN and stays as it is', async () => {
    await using home = await levelHome();
    await writeFile(join(home.directory, 'holiday.jpg'), 'x');
    await assert.rejects(openLevelLogStore({ directory: home.directory }), { code: 'FOREIGN' });
    assert.deepEqual(await readdir(home.directory), ['holiday.jpg']);
  });

  test('a database of something else is FOREIGN', async () => {
    await using home = await levelHome();
    const database = new Level(join(home.directory, 'log'));
    await database.put('a', 'b');
    await database.close();
    await assert.rejects(home.open(), { code: 'FOREIGN' });
  });

  test('broken bytes and gaps are DAMAGED, and say what to do', async () => {
    for (const [key, value] of [
      ['log/0000000000000002', Uint8Array.of(0xff, 0xff)],
      ['hard', Uint8Array.of(0xff)],
      ['log/0000000000000009', Uint8Array.of(0x08, 1, 0x10, 9, 0x1a, 0)],
    ] as const) {
      await using home = await levelHome();
      {
        await using store = await home.open();
        await store.write({ hardState: hard(1), entries: run(1, 1, 3) });
      }
      const database = new Level<string, Uint8Array>(join(home.directory, 'log'), { valueEncoding: 'view' });
      await database.put(key, value);
      await database.close();
      await using store = await home.open();
      await assert.rejects(store.load(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'DAMAGED', key);
        assert.match(error.message, /move the directory away and join the cluster again/);
        return true;
      });
    }
  });

  test('a database whose files are broken is DAMAGED', async () => {
    await using home = await levelHome();
    await (await home.open()).close();
    await writeFile(join(home.directory, 'log', 'CURRENT'), 'nonsense');
    await assert.rejects(home.open(), { code: 'DAMAGED' });
  });

  test('a directory that cannot be made is a DISK error', async () => {
    await using home = await levelHome();
    await writeFile(join(home.directory, 'file'), 'x');
    await assert.rejects(openLevelLogStore({ directory: join(home.directory, 'file', 'log') }), {
      code: 'DISK',
    });
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelKeeper } from '../../../node/service/model-keeper.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { FakeModelHost } from '../../support/fake-model-host.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { MemoryShelf } from '../mesh/fleet.ts';
import { candidate, tablesWithTask } from '../state/fixtures.ts';

function setUp() {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const host = new FakeModelHost();
  const shelf = new MemoryShelf();
  const elsewhere = new MemoryShelf();
  const told: [string, object][] = [];
  const verified: string[] = [];
  let changes = 0;
  const keeper = new ModelKeeper({
    tables,
    host,
    clock,
    shelf: Object.assign(shelf, {
      verify: async (sha256: string) => {
        verified.push(sha256);
        return true;
      },
    }),
    keeper: {
      ensure: async (sha256) => {
        const bytes = elsewhere.blobs.get(sha256);
        if (bytes) shelf.blobs.set(sha256, bytes);
        return shelf.has(sha256);
      },
    },
    onChange: () => {
      changes += 1;
    },
    logger: {
      ...silentLogger,
      info: (fields, message) => told.push([message, fields]),
      warn: (fields, message) => told.push([message, fields]),
    },
  });
  const put = (text: string, base: number) =>
    apply({
      type: 'model-put',
      model: candidate({ base, sha256: elsewhere.add(new TextEncoder().encode(text)) }),
    });
  const rest = async (ms = 1): Promise<void> => {
    clock.advance(ms);
    await settled();
    await settled();
  };
  return {
    tables,
    apply,
    clock,
    host,
    elsewhere,
    shelf,
    keeper,
    told,
    verified,
    put,
    rest,
    changes: () => changes,
  };
}

test('follows the table: to the newest version, back to an older one, and to what it shipped with', async () => {
  const { keeper, put, apply, host, rest, changes } = setUp();
  keeper.start();
  await rest();
  assert.deepEqual(host.loaded, [], 'there is nothing to do');
  put('one', 0);
  await rest();
  put('two', 1);
  await rest();
  apply({ type: 'model-select', version: 1 });
  await rest();
  apply({ type: 'model-select', version: 0 });
  await rest();
  assert.deepEqual(host.loaded, ['1 one', '2 two', '1 one', 'shipped']);
  assert.equal(changes(), 4);
  keeper.stop();
});

test('after the log was read only the current version is fetched', async () => {
  const { keeper, put, host, rest } = setUp();
  put('one', 0);
  put('two', 1);
  keeper.start();
  await rest();
  assert.deepEqual(host.loaded, ['2 two']);
  keeper.stop();
});

test('without the file it keeps what it has, says so once, and asks again later and later', async () => {
  const { keeper, put, host, elsewhere, rest, told, clock } = setUp();
  put('one', 0);
  const kept = new Map(elsewhere.blobs);
  elsewhere.blobs.clear();
  keeper.start();
  await rest();
  assert.equal(host.version, 0);
  assert.match(keeper.trouble ?? '', /version 1 can't be used: no member gave its file/);
  for (const ms of [1_000, 2_000, 4_000]) await rest(ms);
  assert.equal(told.length, 1);
  assert.deepEqual(told[0], [
    'model version missing',
    { version: 1, reason: 'no member gave its file', keeps: 0, retryMs: 1_000 },
  ]);
  for (const [sha256, bytes] of kept) elsewhere.blobs.set(sha256, bytes);
  await rest(7_000);
  assert.equal(host.version, 0, 'not yet asked again');
  await rest(1_000);
  assert.equal(host.version, 1);
  assert.equal(keeper.trouble, null);
  keeper.stop();
  assert.deepEqual(clock.pending(), []);
});

test('weights that the host refuses are checked on the shelf and tried again; the old ones stay', async () => {
  const { keeper, put, host, rest, verified } = setUp();
  host.refusal = 'the weights are damaged';
  put('one', 0);
  keeper.start();
  await rest();
  assert.match(keeper.trouble ?? '', /damaged/);
  assert.equal(verified.length, 1);
  host.refusal = null;
  await rest(1_000);
  assert.deepEqual(host.loaded, ['1 one']);
  keeper.stop();
});

test('a version that comes while another is fetched is what it ends with', async () => {
  const { keeper, put, host, rest } = setUp();
  keeper.start();
  put('one', 0);
  put('two', 1);
  await rest();
  assert.deepEqual(host.loaded, ['2 two']);
  const load = host.load.bind(host);
  host.load = (version, weights) => {
    if (version === 3) put('four', 3);
    return load(version, weights);
  };
  put('three', 2);
  await rest();
  await rest();
  assert.equal(host.version, 4);
  keeper.stop();
});

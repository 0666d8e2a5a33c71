/** Members with keys of their own, a master among them, and the tables that all of them have. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { emptyStatus } from '../../../node/consensus/status-view.ts';
import { Vault } from '../../../node/master/vault.ts';
import type { Mesh } from '../../../node/mesh/types.ts';
import { KeyRing } from '../../../node/secrets/key-ring.ts';
import { KeyKeeper } from '../../../node/service/key-keeper.ts';
import type { ControlRequest } from '../../../protocols/schema/messages.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import type { Secret } from '../../../protocols/schema/secret.ts';
import { joinTokenOf, memberOf, peerId } from '../../builders/nouns.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { spec, TASK, tablesWithTask } from '../state/fixtures.ts';

const NAMES = ['a', 'b', 'c', 'd', 'w'] as const;
type Name = (typeof NAMES)[number];
const SECRET: Secret = { name: 'PASSWORD', value: new TextEncoder().encode('hunter2') };
const OWNER = 'task t2';

/** `a` is master, `b` and `c` vote with it, `d` may vote, and `w` only carries out runs. */
async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), 'fsched-vault-'));
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const down = new Set<string>();
  const rings = new Map<string, KeyRing>();
  const keepers = new Map<string, KeyKeeper>();
  const asked: string[] = [];
  const ids = Object.fromEntries(NAMES.map((name) => [name, peerId(name)])) as Record<Name, string>;
  for (const name of NAMES)
    apply({ type: 'member-put', member: memberOf(ids[name], { mayVote: name !== 'w' }) });
  /** Whoever asks goes on with a majority: the others write their keys later. */
  const underWay = new Set<Promise<unknown>>();
  const noted = <T>(work: Promise<T>): Promise<T> => {
    underWay.add(work);
    return work;
  };
  const callFrom =
    (from: string): Mesh['call'] =>
    async (to, request: ControlRequest) => {
      const keeper = keepers.get(to);
      if (down.has(to) || !keeper) return fail({ code: 'UNREACHABLE', message: `${to} is down` });
      asked.push(`${request.type} ${from}>${to}`);
      if (request.type === 'cluster-key-keep') return succeed(await noted(keeper.keep(request.key)));
      if (request.type === 'cluster-key-ask') return succeed(keeper.give(from, request.id));
      return assert.fail(request.type);
    };
  const status = { ...emptyStatus(ids.a), leader: ids.a };
  for (const name of NAMES) {
    const id = ids[name];
    const keys = await KeyRing.open(join(folder, name));
    rings.set(id, keys);
    const mesh = { id, call: callFrom(id) };
    keepers.set(
      id,
      new KeyKeeper({ keys, tables, consensus: { status: () => status }, mesh, clock, logger: silentLogger }),
    );
  }
  const ring = (name: Name): KeyRing => rings.get(ids[name]) ?? assert.fail(name);
  const keeper = (name: Name): KeyKeeper => keepers.get(ids[name]) ?? assert.fail(name);
  const masterOf = (name: Name): Vault =>
    new Vault({
      self: ids[name],
      keys: ring(name),
      tables,
      configuration: () => ({ voters: [ids.a, ids.b, ids.c], learners: [ids.d, ids.w] }),
      term: () => 1,
      call: callFrom(ids[name]),
      propose: async (command) => succeed(apply(command)),
      clock,
      logger: silentLogger,
    });
  const vault = masterOf('a');
  /** Time passes until it holds. */
  const until = (what: string, condition: () => boolean) =>
    eventually(what, async () => {
      clock.advance(1_000);
      return condition();
    });
  const current = (): string => tables.clusterKey.current ?? assert.fail('there is no key');
  const holders = (id = current()): string => NAMES.filter((name) => ring(name).key(id)).join('');
  /** As an upload does it. */
  const upload = async () => {
    const sealed = await vault.seal(OWNER, [SECRET]);
    assert.ok(sealed.ok, JSON.stringify(sealed));
    return apply({ type: 'task-create', task: { ...TASK, id: 't2', secrets: sealed.value } });
  };
  const opened = (master = vault) => master.open(OWNER, tables.task('t2')?.secrets ?? []);
  return {
    ...{ tables, apply, clock, down, ids, asked, ring, keeper, masterOf, vault },
    ...{ until, current, holders, upload, opened },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(underWay);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describe('the first secret', () => {
  test('makes a key that a majority has on disk before it is used; who may not lead gets none', async () => {
    await using cluster = await setUp();
    const { vault, upload, holders, tables, opened, until, keeper } = cluster;
    assert.deepEqual(await vault.seal(OWNER, []), succeed([]));
    assert.equal(tables.clusterKey.current, null);
    assert.deepEqual(await upload(), { ok: true });
    assert.ok(holders().length >= 2, holders());
    assert.deepEqual(opened(), succeed([SECRET]));
    for (const name of NAMES) keeper(name).start();
    await until('all that may lead have it', () => holders() === 'abcd');
    assert.ok(!cluster.asked.some((call) => call.includes(cluster.ids.w)), 'nobody is asked by, or tells, w');
    assert.equal(keeper('d').give(cluster.ids.w, cluster.current()).type, 'refused');
    assert.equal(keeper('d').give(peerId('stranger'), cluster.current()).type, 'refused');
    assert.equal(keeper('d').give(cluster.ids.b, cluster.current()).type, 'cluster-key');
    assert.equal((await keeper('w').keep(new Uint8Array(32))).type, 'refused');
  });

  test('is refused without a majority, and the same key is tried again', async () => {
    await using cluster = await setUp();
    const { vault, down, ids, tables, ring } = cluster;
    down.add(ids.b).add(ids.c);
    const refused = await vault.seal(OWNER, [SECRET]);
    assert.ok(!refused.ok && refused.error.code === 'UNAVAILABLE');
    assert.match(refused.error.message, /^the key for secrets could not be stored on 2 of the 3 voters/);
    assert.equal(tables.clusterKey.current, null);
    down.delete(ids.b);
    const [one, two] = await Promise.all([vault.seal(OWNER, [SECRET]), vault.seal(OWNER, [SECRET])]);
    assert.ok(one.ok && two.ok);
    assert.equal(ring('a').ids().length, 1);
  });
});

describe('a member without the key', () => {
  test('asks the others until one gives it; as master it says so, and what comes next has a new key', async () => {
    await using cluster = await setUp();
    const { upload, opened, ids, down, ring, keeper, masterOf, until, current } = cluster;
    down.add(ids.c);
    await upload();
    const late = masterOf('c');
    assert.deepEqual(
      opened(late),
      fail({
        code: 'NO_KEY',
        message: 'this node has no key for the secret PASSWORD and asks the other members for it',
      }),
    );
    for (const id of [ids.a, ids.b, ids.d]) down.add(id);
    keeper('c').start();
    await until('it tells its operator', () => /lacks the key/.test(keeper('c').trouble ?? ''));
    down.clear();
    await until('it has it', () => ring('c').key(current()) !== null);
    assert.deepEqual(opened(late), succeed([SECRET]));
    await until('no trouble', () => keeper('c').trouble === null);
  });

  test('that leads seals under a new one, and the old secrets when it has the old one', async () => {
    await using cluster = await setUp();
    const { upload, ids, down, ring, keeper, masterOf, until, current, opened, apply, tables } = cluster;
    down.add(ids.c);
    await upload();
    const [before, late] = [current(), masterOf('c')];
    const sealed = await late.seal('run r', [SECRET]);
    assert.ok(sealed.ok && sealed.value[0]?.sealed?.keyId === current() && current() !== before);
    apply({ type: 'run-create', spec: spec('r', { secrets: sealed.value }), assignment: null });
    late.start();
    keeper('c').start();
    await until('it is sealed anew', () => tables.task('t2')?.secrets[0]?.sealed?.keyId === current());
    assert.deepEqual(opened(late), succeed([SECRET]));
    await until('the old key is forgotten', () => ring('c').ids().length === 1);
    late.stop();
  });
});

describe('when a member is removed', () => {
  test('a new key is made that it has not, tasks are sealed anew, and the old key is forgotten', async () => {
    await using cluster = await setUp();
    const { upload, apply, vault, ids, tables, ring, keeper, until, current, opened, holders } = cluster;
    await upload();
    const before = current();
    for (const name of NAMES) keeper(name).start();
    await until('all have it', () => holders() === 'abcd');
    const own = await vault.seal('run r', [SECRET]);
    assert.ok(own.ok);
    apply({ type: 'run-create', spec: spec('r', { secrets: own.value }), assignment: null });
    vault.start();
    apply({ type: 'member-remove', id: ids.d, atMs: 1 });
    await until('a new key', () => current() !== before && tables.clusterKey.isFresh);
    await until('sealed anew', () => tables.task('t2')?.secrets[0]?.sealed?.keyId === current());
    await until('all others have it', () => holders() === 'abc');
    assert.deepEqual(opened(), succeed([SECRET]));
    assert.equal(ring('d').key(current()), null);
    assert.equal(keeper('a').give(ids.d, current()).type, 'refused');
    assert.notEqual(ring('b').key(before), null, 'a run that goes on is sealed under it');
    assert.deepEqual(vault.open('run r', tables.run('r')?.spec.secrets ?? []), succeed([SECRET]));
    apply({ type: 'run-cancel', runId: 'r', atMs: 1 });
    await until('all have forgotten the old key', () => holders(before) === 'd');
    keeper('d').forget();
    await until('so does who was removed', () => ring('d').ids().length === 0);
    const token = joinTokenOf('for who was removed', { createdAtMs: 2 });
    apply({ type: 'join-token-put', token, replaces: null });
    apply({ type: 'member-admit', member: memberOf(ids.d), tokenId: token.id, atMs: 3 });
    await until('let in again it gets the key of now', () => ring('d').key(current()) !== null);
    vault.stop();
  });

  test('that voted, and is listened to for a moment longer, it is not given the new key', async () => {
    await using cluster = await setUp();
    const { upload, apply, vault, ids, asked, ring, current } = cluster;
    await upload();
    apply({ type: 'member-remove', id: ids.b, atMs: 1 });
    asked.length = 0;
    assert.ok((await vault.seal('run r', [SECRET])).ok);
    assert.ok(!asked.some((call) => call.endsWith(ids.b)), String(asked));
    assert.equal(ring('b').key(current()), null);
  });

  test('while a new key is made, another one is: the first was pushed to who was removed', async () => {
    await using cluster = await setUp();
    const { vault, down, ids, apply, ring, tables, current } = cluster;
    down.add(ids.b).add(ids.c);
    assert.equal((await vault.seal(OWNER, [SECRET])).ok, false);
    const [pushed] = ring('a').ids();
    apply({ type: 'member-remove', id: ids.d, atMs: 1 });
    down.clear();
    assert.ok((await vault.seal(OWNER, [SECRET])).ok);
    assert.notEqual(current(), pushed);
    assert.ok(tables.clusterKey.isFresh);
  });
});

test('a secret that was moved to another task is told by its name, and not opened', async () => {
  await using cluster = await setUp();
  const { upload, vault, tables } = cluster;
  await upload();
  const moved = vault.open('task t3', tables.task('t2')?.secrets ?? []);
  assert.deepEqual(
    moved,
    fail({ code: 'DAMAGED', message: 'the secret PASSWORD is damaged: hand it in again' }),
  );
});

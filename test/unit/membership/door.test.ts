import assert from 'node:assert/strict';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Door } from '../../../node/membership/door.ts';
import { HeldToken } from '../../../node/membership/held-token.ts';
import { joinKey, tokenId } from '../../../protocols/proof/token-keys.ts';
import { joinTokenOf, memberOf, peerId } from '../../builders/nouns.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger as logger } from '../../support/silent-logger.ts';
import { tablesWithTask } from '../state/fixtures.ts';

const [STRANGER, MEMBER] = [peerId('stranger'), peerId('member')];
const TOKEN = 'the join token of a cluster';
const ID = tokenId(TOKEN);

function setUp({ own = null, ready = true }: { own?: string | null; ready?: boolean } = {}) {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const door = new Door({ token: own }, { tables, caughtUp: () => ready, clock });
  apply({ type: 'member-put', member: memberOf(MEMBER) });
  const put = (
    token: string,
    changes: Parameters<typeof joinTokenOf>[1] = {},
    replaces: string | null = null,
  ) => apply({ type: 'join-token-put', token: joinTokenOf(token, changes), replaces });
  return { tables, apply, clock, door, put };
}
const live = { key: joinKey(TOKEN), refusal: null };

describe('the door', () => {
  test('opens to the tokens of the tables while they hold', () => {
    const { door, put, clock, apply } = setUp();
    put(TOKEN, { expiresAtMs: clock.nowMs() + 10 });
    assert.deepEqual(door.known(ID, STRANGER), live);
    assert.equal(door.known(tokenId('another join token'), STRANGER), null);
    clock.advance(10);
    assert.deepEqual(door.known(ID, STRANGER), { ...live, refusal: 'EXPIRED' });
    put('a token for one', { uses: 1 });
    const one = tokenId('a token for one');
    apply({ type: 'member-admit', member: memberOf(STRANGER), tokenId: one, atMs: clock.nowMs() });
    assert.deepEqual(door.known(one, peerId('late')), {
      key: joinKey('a token for one'),
      refusal: 'USED_UP',
    });
    assert.deepEqual(door.known(one, STRANGER), { key: joinKey('a token for one'), refusal: null });
  });

  test('is closed to a revoked token from the entry of the log on that says so', () => {
    const { door, put, apply } = setUp();
    put(TOKEN);
    apply({ type: 'token-revoke', id: ID, atMs: 2 });
    for (const bearer of [STRANGER, MEMBER])
      assert.deepEqual(door.known(ID, bearer), { ...live, refusal: 'REVOKED' });
  });

  test('a rotation leaves no moment without a token that opens it', () => {
    const { door, put } = setUp();
    put(TOKEN);
    put('the next join token', {}, ID);
    assert.deepEqual(door.known(ID, STRANGER), { ...live, refusal: 'REVOKED' });
    assert.equal((door.known(tokenId('the next join token'), STRANGER) as typeof live).refusal, null);
  });

  test('before there are tokens in the log the own one opens it, and none does by it afterwards', () => {
    const { door, put, tables } = setUp({ own: TOKEN });
    assert.equal(door.credential?.bearer.id, ID);
    assert.deepEqual(door.known(ID, STRANGER), live);
    put('another join token');
    assert.equal(door.known(ID, STRANGER), null, 'its own file no longer counts');
    tables.reset();
    assert.equal(setUp({ own: null }).door.credential, null);
  });

  test('a node is not called in by its own token once its tables say that it was revoked; an expired one does', () => {
    const { door, put, apply, clock } = setUp({ own: TOKEN });
    assert.equal(door.credential?.bearer.id, ID, 'before it could be committed');
    put(TOKEN, { expiresAtMs: clock.nowMs() + 10 });
    clock.advance(20);
    assert.equal(door.credential?.bearer.id, ID);
    apply({ type: 'token-revoke', id: ID, atMs: clock.nowMs() });
    assert.equal(door.credential, null);
  });

  test('a node that lags calls no token unknown', () => {
    const { door, put } = setUp({ ready: false });
    put(TOKEN);
    assert.deepEqual(door.known(ID, STRANGER), live);
    assert.equal(door.known(tokenId('perhaps a new one'), STRANGER), 'not-ready');
  });
});

test('a revoked token is removed from the data directory, and told of where the operator put it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fsched-held-'));
  try {
    const [ownFile, givenFile] = [join(folder, 'join-token'), join(folder, 'given')];
    for (const file of [ownFile, givenFile]) await writeFile(file, `${TOKEN}\n`, { mode: 0o600 });
    const { tables, put, apply, clock } = setUp();
    const held = new HeldToken({ ownFile, givenFile }, { tables, clock, logger });
    held.start();
    put(TOKEN, { expiresAtMs: 3 });
    await held.look();
    assert.equal(held.trouble, null, 'an expired one harms nobody');
    await access(ownFile);

    apply({ type: 'token-revoke', id: ID, atMs: 2 });
    clock.advance(1);
    await eventually('what it found', async () => held.trouble !== null);
    assert.match(held.trouble ?? '', new RegExp(`--token-file holds join token ${ID}, which was revoked`));
    await assert.rejects(access(ownFile));
    await access(givenFile);

    await writeFile(givenFile, 'another join token');
    clock.advance(10_000);
    await eventually('that it is over', async () => held.trouble === null);
    held.stop();
    assert.deepEqual(clock.pending(), []);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

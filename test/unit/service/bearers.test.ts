import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bearers } from '../../../node/service/bearers.ts';
import { encodeCommand } from '../../../node/state/commands.ts';
import { Tables } from '../../../node/state/tables.ts';
import { apiTokenHash, tokenId } from '../../../protocols/proof/token-keys.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { apiTokenOf, joinTokenOf, memberOf, peerId } from '../../builders/nouns.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';

const [SELF, PEER, WORKER] = [peerId('self'), peerId('peer'), peerId('worker')];
const OWN = 'the own token of this node';

function setUp({ mayLag = false } = {}) {
  const tables = new Tables();
  const clock = new FakeClock();
  const options = { self: SELF, name: 'me', apiToken: apiTokenHash(OWN) };
  const bearers = new Bearers(options, { tables, mayLag: () => mayLag, clock });
  const ask = (token: string, mayWait = async () => {}) => bearers.bearer(token, mayWait);
  const apply = (command: Command) => tables.apply(encodeCommand(command), 0);
  return { tables, clock, bearers, ask, apply };
}
const put = (token: string, changes = {}): Command => ({
  type: 'api-token-put',
  token: apiTokenOf(token, changes),
  replaces: null,
});
const row = (id: string, token: string, changes = {}): Command => ({
  type: 'member-put',
  member: memberOf(id, { apiToken: apiTokenHash(token), ...changes }),
});

test('a token is known with its scope until it expires or is revoked', async () => {
  const { ask, apply, clock } = setUp();
  const token = 'a token of a person';
  assert.deepEqual(await ask(token), fail('UNKNOWN_TOKEN'));
  const now = clock.nowMs();
  apply(put(token, { scope: 'operate', name: 'ci', expiresAtMs: now + 1000 }));
  const principal = { scope: 'operate', tokenId: tokenId(token), who: 'ci', trusted: false };
  assert.deepEqual(await ask(token), succeed(principal));
  clock.advance(1000);
  assert.deepEqual(await ask(token), fail('EXPIRED'));
  apply({ type: 'token-revoke', id: tokenId(token), atMs: now });
  assert.deepEqual(await ask(token), fail('REVOKED'));
});

test('neither its id, its hash nor a join token opens the API', async () => {
  const { ask, apply } = setUp();
  apply(put('a token of a person'));
  apply({ type: 'join-token-put', token: joinTokenOf('a token to join by'), replaces: null });
  const { id, sha256 } = apiTokenOf('a token of a person');
  for (const guess of [id, sha256, apiTokenHash(OWN), 'a token to join by', 'a token of a perso', ''])
    assert.deepEqual(await ask(guess), fail('UNKNOWN_TOKEN'), guess);
});

test('the token of a node counts as the node: a voter may all, a worker submits, a removed one nothing', async () => {
  const { ask, bearers, apply } = setUp();
  apply(row(PEER, 'token of the peer'));
  apply(row(WORKER, 'token of the worker', { mayVote: false }));
  const scopeOf = async (token: string) => {
    const known = await ask(token);
    return known.ok ? known.value.scope : known.error;
  };
  assert.deepEqual(
    [await scopeOf('token of the peer'), await scopeOf('token of the worker')],
    ['admin', 'submit'],
  );
  assert.equal(bearers.nodePrincipal(WORKER)?.scope, 'submit');
  apply({ type: 'member-remove', id: PEER, atMs: 5 });
  assert.equal(await scopeOf('token of the peer'), 'UNKNOWN_TOKEN');
  assert.equal(bearers.nodePrincipal(PEER), null);
});

test('a worker gains nothing by claiming the token of another in its row', async () => {
  const { ask, bearers, apply } = setUp();
  apply(put('token of a reader', { scope: 'read' }));
  apply(row(PEER, 'token of the peer'));
  for (const claimed of ['token of a reader', 'token of the peer']) {
    apply(row(WORKER, claimed, { mayVote: false }));
    assert.equal(bearers.nodePrincipal(WORKER)?.scope, 'submit');
    const known = await ask(claimed);
    assert.equal(known.ok && known.value.scope, claimed === 'token of a reader' ? 'read' : 'admin');
  }
});

test('its own token holds also before the node is in the tables', async () => {
  const { ask, apply } = setUp();
  const before = await ask(OWN);
  assert.deepEqual(before.ok && [before.value.scope, before.value.trusted], ['admin', true]);
  apply(row(SELF, OWN, { mayVote: false }));
  const after = await ask(OWN);
  assert.deepEqual(after.ok && [after.value.scope, after.value.who], ['submit', `node ${SELF}`]);
});

test('a token that was made at another node a moment ago is waited for, and no longer than a moment', async () => {
  const { ask, apply, clock } = setUp({ mayLag: true });
  const asked = ask('a token of a person');
  await settled();
  apply(put('a token of a person'));
  assert.equal((await asked).ok, true);
  const wrong = ask('another one');
  await settled();
  clock.advance(500);
  assert.deepEqual(await wrong, fail('UNKNOWN_TOKEN'));
});

test('whoever floods with wrong tokens is asked to wait before it is waited for, and takes bounded room', async () => {
  const { ask, clock, apply } = setUp({ mayLag: true });
  const tooOften = async () => Promise.reject(new Error('too often'));
  await assert.rejects(ask('a guess', tooOften), /too often/);
  assert.deepEqual(clock.pending(), [], 'nothing is held for it');
  const guesses = Array.from({ length: 256 }, (_, index) => ask(`guess ${index}`));
  await settled();
  assert.equal(clock.pending().length, 256);
  // It may be right: it is told to try again, and not that it is wrong.
  assert.deepEqual(await ask('one more'), fail('UNDECIDED'));
  apply(put('one more'));
  assert.equal((await ask('one more', tooOften)).ok, true, 'what is known needs no wait');
  clock.advance(500);
  for (const answer of await Promise.all(guesses)) assert.deepEqual(answer, fail('UNKNOWN_TOKEN'));
  const late = ask('a late one');
  await settled();
  apply(row(PEER, 'a late one'));
  assert.equal((await late).ok, true);
});

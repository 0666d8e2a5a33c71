import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../../node/adapters.ts';
import { TokenService } from '../../../node/master/token-service.ts';
import { encodeCommand } from '../../../node/state/commands.ts';
import { Tables } from '../../../node/state/tables.ts';
import { apiTokenHash, joinKey, tokenId } from '../../../protocols/proof/token-keys.ts';
import { type Answer, fail, succeed } from '../../../protocols/schema/outcome.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function setUp() {
  const tables = new Tables();
  const clock = new FakeClock();
  let commits = true;
  const service = new TokenService({
    tables,
    clock,
    random: systemRandom,
    propose: async (command) =>
      commits ? succeed(tables.apply(encodeCommand(command), 0)) : fail({ code: 'BUSY' } as const),
  });
  const stop = () => {
    commits = false;
  };
  return { tables, clock, service, stop };
}
function granted<T>(answer: Answer<T>): T {
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.value;
}
const API = { kind: 'api', name: 'ci', scope: 'operate', ttlMs: 1000 } as const;
const JOIN = { kind: 'join', name: 'rack', role: 'worker', uses: 3, ttlMs: null } as const;

test('the cluster keeps what its bearer is known by, and not the token', async () => {
  const { service, tables } = setUp();
  const api = granted(await service.create(API, 'root'));
  const join = granted(await service.create(JOIN, 'root'));
  assert.match(api.text, /^fsa_[0-9a-f]{64}$/);
  assert.match(join.text, /^fsj_[0-9a-f]{64}$/);
  assert.equal(tables.tokens.api(tokenId(api.text))?.sha256, apiTokenHash(api.text));
  assert.deepEqual(tables.tokens.join(tokenId(join.text))?.key, joinKey(join.text));
  const kept = JSON.stringify([tables.tokens.apiTokens(), tables.tokens.joinTokens()]);
  for (const { text } of [api, join]) assert.ok(!kept.includes(text.slice(4)));
});

test('a rotated token has the properties of the old one and a whole life before it; the old one is over', async () => {
  const { service, tables, clock } = setUp();
  for (const request of [API, JOIN]) {
    const old = granted(await service.create(request, 'root'));
    clock.advance(600);
    const next = granted(await service.rotate(old.token.id, 'somebody'));
    assert.notEqual(next.text, old.text);
    const { id, createdAtMs, createdBy, expiresAtMs, ...rest } = next.token;
    assert.deepEqual([id, createdBy], [tokenId(next.text), 'somebody']);
    assert.equal(expiresAtMs, request.ttlMs === null ? null : clock.nowMs() + request.ttlMs);
    assert.deepEqual({ ...old.token, ...rest }, { ...old.token, ...rest, name: request.name });
    const table = request.kind === 'api' ? tables.tokens.api(old.token.id) : tables.tokens.join(old.token.id);
    assert.equal(table?.revokedAtMs, createdAtMs);
    assert.equal((await service.rotate(old.token.id, 'root')).ok, false, 'what was revoked has no successor');
  }
  assert.deepEqual(
    service.list().map(({ state }) => state),
    ['active', 'active', 'revoked', 'revoked'],
  );
});

test('a revoked token is told as such, also twice; one that is unknown is not found', async () => {
  const { service } = setUp();
  const { token } = granted(await service.create(API, 'root'));
  for (let time = 0; time < 2; time++) assert.equal(granted(await service.revoke(token.id)).state, 'revoked');
  for (const answer of [
    await service.revoke('0123456789abcdef'),
    await service.rotate('0123456789abcdef', 'root'),
  ])
    assert.equal(!answer.ok && answer.error.code, 'NOT_FOUND');
});

test('a token that was not committed is not told', async () => {
  const { service, stop } = setUp();
  const { token } = granted(await service.create(API, 'root'));
  stop();
  for (const answer of [
    await service.create(API, 'root'),
    await service.rotate(token.id, 'root'),
    await service.revoke(token.id),
  ])
    assert.equal(!answer.ok && answer.error.code, 'UNAVAILABLE');
  assert.equal(service.list().length, 1);
});

test('tokens that hold are bounded; those that are over make room', async () => {
  const { service, clock } = setUp();
  for (let made = 0; made < 1_000; made++) granted(await service.create(API, 'root'));
  const refused = await service.create(API, 'root');
  assert.equal(!refused.ok && refused.error.code, 'CONFLICT');
  granted(await service.create(JOIN, 'root'));
  clock.advance(1_000);
  granted(await service.create(API, 'root'));
});

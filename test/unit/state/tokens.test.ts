import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode as encodeCbor } from 'cborg';
import { KEPT_AUDIT_ENTRIES } from '../../../node/state/audit-trail.ts';
import { encodeCommand } from '../../../node/state/commands.ts';
import { tokenId } from '../../../protocols/proof/token-keys.ts';
import { apiTokenOf, joinTokenOf, memberOf, peerId } from '../../builders/nouns.ts';
import { tablesWithTask } from './fixtures.ts';

const [A, B] = [peerId('a'), peerId('b')];
const SECRET = 'the secret of a cluster';
const ID = tokenId(SECRET);

const admit = (id: string, atMs: number, token = ID) =>
  ({ type: 'member-admit', member: memberOf(id, { joinedBy: token }), tokenId: token, atMs }) as const;
const put = (
  changes: Parameters<typeof joinTokenOf>[1] = {},
  secret = SECRET,
  replaces: string | null = null,
) => ({ type: 'join-token-put', token: joinTokenOf(secret, changes), replaces }) as const;

test('a join token lets in as many nodes as it says, until it ends', () => {
  const { tables, apply } = tablesWithTask();
  assert.deepEqual(apply(admit(A, 5)), { ok: false, code: 'UNKNOWN_TOKEN' });
  apply(put({ uses: 2, expiresAtMs: 100 }));
  assert.deepEqual(apply(admit(A, 100)), { ok: false, code: 'EXPIRED' });
  assert.deepEqual(apply(admit(A, 99)), { ok: true });
  assert.deepEqual(apply(admit(B, 99)), { ok: true });
  assert.deepEqual(apply(admit(peerId('c'), 99)), { ok: false, code: 'USED_UP' });
  assert.deepEqual(
    tables.members().map(({ id }) => id),
    [A, B],
  );
  assert.equal(tables.tokens.join(ID)?.used, 2);
});

test('a removed member comes back neither by its token nor by one that was made before', () => {
  const { tables, apply } = tablesWithTask();
  apply(put());
  apply(put({ createdAtMs: 9 }, 'another token of before'));
  apply(admit(A, 5));
  assert.deepEqual(apply({ type: 'member-remove', id: A, atMs: 10 }), { ok: true });
  assert.deepEqual(apply(admit(A, 11)), { ok: false, code: 'REVOKED' });
  assert.deepEqual(apply(admit(A, 11, tokenId('another token of before'))), { ok: false, code: 'REMOVED' });
  // Nor does anybody else by the token that let it in.
  assert.deepEqual(apply(admit(B, 11)), { ok: false, code: 'REVOKED' });
  apply(put({ createdAtMs: 12 }, 'a token made afterwards'));
  assert.deepEqual(apply(admit(A, 13, tokenId('a token made afterwards'))), { ok: true });
  assert.equal(tables.tokens.removedAt(A), null);
});

test('a rotation makes the new token and ends the old in one step', () => {
  const { tables, apply } = tablesWithTask();
  apply(put());
  apply(put({ createdAtMs: 7 }, 'the next token of all', ID));
  assert.equal(tables.tokens.join(ID)?.revokedAtMs, 7);
  assert.deepEqual(apply(admit(A, 8)), { ok: false, code: 'REVOKED' });
  assert.deepEqual(apply(admit(A, 8, tokenId('the next token of all'))), { ok: true });
});

test('a token can be made once, and revoked by its id whatever it is for', () => {
  const { tables, apply } = tablesWithTask();
  const token = apiTokenOf('a token for the API');
  assert.deepEqual(apply({ type: 'api-token-put', token, replaces: null }), { ok: true });
  assert.deepEqual(apply({ type: 'api-token-put', token, replaces: null }), { ok: false, code: 'EXISTS' });
  assert.deepEqual(apply({ type: 'token-revoke', id: token.id, atMs: 4 }), { ok: true });
  apply({ type: 'token-revoke', id: token.id, atMs: 5 });
  assert.equal(tables.tokens.api(token.id)?.revokedAtMs, 4);
  assert.deepEqual(apply({ type: 'token-revoke', id: ID, atMs: 4 }), { ok: false, code: 'NOT_FOUND' });
});

test('of tokens that no longer hold the latest thousand are kept, and those that hold stay', () => {
  const { tables, apply } = tablesWithTask();
  apply(put());
  for (let at = 0; at < 1_100; at += 1)
    apply(put({ createdAtMs: at + 2, expiresAtMs: at + 2 }, `token ${at}`));
  assert.ok(tables.tokens.joinTokens().length <= 1_001);
  assert.ok(tables.tokens.join(ID));
  assert.equal(tables.tokens.join(tokenId('token 0')), undefined);
  assert.ok(tables.tokens.join(tokenId('token 1099')));
});

test('the audit trail keeps the latest entries', () => {
  const { tables, apply } = tablesWithTask();
  const entry = { who: 'ops', tokenId: null, node: A, action: 'DELETE /cluster/workers/:id', subject: B };
  for (let atMs = 0; atMs < 2 * KEPT_AUDIT_ENTRIES + 5; atMs += 1)
    apply({ type: 'audit', entry: { ...entry, atMs } });
  assert.equal(tables.audit().length, KEPT_AUDIT_ENTRIES);
  assert.equal(tables.audit()[0]?.atMs, KEPT_AUDIT_ENTRIES + 5);
});

test('members of a log of format 1 may vote and came in by no token', () => {
  const { tables } = tablesWithTask();
  const format1 = (command: unknown): Uint8Array => Uint8Array.from([1, ...encodeCbor(command)]);
  const member = { id: A, name: 'alpha', addresses: ['/ip4/10.0.0.1/tcp/8300'], joinedAtMs: 3 };
  assert.deepEqual(tables.apply(format1({ type: 'member-put', member }), 2), { ok: true });
  assert.deepEqual(tables.member(A), { ...member, apiToken: null, mayVote: true, joinedBy: null });
  assert.deepEqual(tables.apply(format1({ type: 'member-remove', id: A }), 3), { ok: true });
  assert.deepEqual(tables.members(), []);
  // What is the same in both is read as it was.
  const same = encodeCommand({ type: 'model-select', version: 0 });
  assert.deepEqual(tables.apply(Uint8Array.from([1, ...same.subarray(1)]), 4), { ok: true });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from '../../../node/master/admission.ts';
import { putFoundingToken } from '../../../node/master/founding-token.ts';
import { purposeOf } from '../../../protocols/join/index.ts';
import { signatureOf, transcriptOf } from '../../../protocols/proof/signature.ts';
import { joinCredential, joinKey, tokenId } from '../../../protocols/proof/token-keys.ts';
import { isValid } from '../../../protocols/schema/check.ts';
import type { Command } from '../../../protocols/schema/command.ts';
import { MAX_MEMBERS } from '../../../protocols/schema/fields.ts';
import { NewMember } from '../../../protocols/schema/member.ts';
import type { ControlRequest, ShownProof } from '../../../protocols/schema/messages.ts';
import { succeed } from '../../../protocols/schema/outcome.ts';
import { joinTokenOf, memberOf, peerId, newMemberOf as row } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger as logger } from '../../support/silent-logger.ts';
import { tablesWithTask } from '../state/fixtures.ts';

const [MASTER, FRIEND, LIAR, STRANGER] = ['master', 'friend', 'liar', 'stranger'].map(peerId) as [
  string,
  string,
  string,
  string,
];
const TOKEN = 'the join token of a cluster';
const nonce = new Uint8Array(32);
const NOW_MS = new FakeClock().nowMs();

/** What `joiner` shows to `answerer` of the token, when it asks for this row. */
function shown(answerer: string, member: NewMember, token = TOKEN): ShownProof {
  const credential = joinCredential(token);
  const parties = { dialler: member.id, answerer, ...purposeOf({ type: 'join', member }) };
  const nonces = { dialler: nonce, answerer: nonce };
  return {
    bearer: credential.bearer,
    ...nonces,
    signature: signatureOf(credential, transcriptOf('dialler', parties, nonces)),
  };
}
const joined = (answerer: string, member: NewMember, token = TOKEN) =>
  ({ type: 'admit-joiner', member, proof: shown(answerer, member, token) }) as const;

function setUp(token: Partial<Parameters<typeof joinTokenOf>[1]> = {}) {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const propose = async (command: Command) => succeed(apply(command));
  const admission = new Admission({ mesh: { id: MASTER }, tables, propose, clock });
  apply({ type: 'join-token-put', token: joinTokenOf(TOKEN, token), replaces: null });
  for (const id of [FRIEND, LIAR]) apply({ type: 'member-put', member: memberOf(id) });
  /** `ok`, or the code of the refusal. */
  const ask = async (from: string, request: Extract<ControlRequest, { type: 'admit' | 'admit-joiner' }>) => {
    const answer = await admission.answer(from, request);
    return answer.type === 'refused' ? answer.code : answer.type;
  };
  return { tables, apply, admission, ask, clock, propose };
}

test('a member changes its own name and addresses, and the founder puts itself into the table', async () => {
  const { ask, tables } = setUp();
  assert.equal(await ask(FRIEND, { type: 'admit', member: row(FRIEND, { name: 'new' }) }), 'ok');
  assert.equal(tables.member(FRIEND)?.name, 'new');
  assert.equal(await ask(MASTER, { type: 'admit', member: row(MASTER) }), 'ok');
});

test('no member changes the row of another, or admits anybody by its word', async () => {
  const { ask, tables } = setUp();
  const before = tables.fingerprint();
  for (const id of [FRIEND, MASTER, STRANGER]) {
    assert.equal(await ask(LIAR, { type: 'admit', member: row(id) }), 'NOT_YOURSELF', id);
    // All that a member knows of the token is its key.
    const made = { ...shown(LIAR, row(id)), signature: new Uint8Array(64).fill(1) };
    assert.equal(await ask(LIAR, { type: 'admit-joiner', member: row(id), proof: made }), 'NOT_PROVED', id);
    const own = { ...shown(LIAR, row(id)), bearer: { type: 'peer', id: LIAR } as const };
    assert.equal(await ask(LIAR, { type: 'admit-joiner', member: row(id), proof: own }), 'NOT_PROVED', id);
  }
  assert.equal(tables.fingerprint(), before);
});

test('who is no member any more does not come back by announcing itself', async () => {
  const { ask, apply, tables } = setUp();
  assert.equal(await ask(STRANGER, { type: 'admit', member: row(STRANGER) }), 'NOT_YOURSELF');
  // Its news may be on the way to the log when it is removed.
  apply({ type: 'member-remove', id: FRIEND, atMs: 5 });
  const late = apply({ type: 'member-put', member: memberOf(FRIEND, { name: 'late' }) });
  assert.deepEqual(late, { ok: false, code: 'REMOVED' });
  assert.equal(tables.member(FRIEND), undefined);
});

test('a joiner is admitted by the proof that it showed to who brings it, and by no other', async () => {
  const { ask, tables } = setUp();
  const request = joined(FRIEND, row(STRANGER));
  assert.equal(await ask(LIAR, request), 'NOT_PROVED', 'a proof that was shown to another');
  assert.equal(await ask(FRIEND, { ...request, member: row(MASTER) }), 'NOT_PROVED', 'of another node');
  const moved = row(STRANGER, { addresses: ['/ip4/192.0.2.66/tcp/1'] });
  assert.equal(await ask(FRIEND, { ...request, member: moved }), 'NOT_PROVED', 'for another address');
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER), 'another join token')), 'NOT_PROVED');
  assert.equal(await ask(FRIEND, request), 'ok');
  assert.deepEqual(
    tables.member(STRANGER),
    memberOf(STRANGER, { joinedBy: tokenId(TOKEN), joinedAtMs: NOW_MS }),
  );
});

test('of two that come at two members with one use left, one is let in', async () => {
  const { ask, tables } = setUp({ uses: 1 });
  const other = peerId('other');
  const answers = await Promise.all([
    ask(FRIEND, joined(FRIEND, row(STRANGER))),
    ask(LIAR, joined(LIAR, row(other))),
  ]);
  assert.deepEqual(answers.sort(), ['USED_UP', 'ok']);
  assert.equal(tables.members().length, 3);
});

test('who was let in and never heard of it is let in again by the same token, which counts once', async () => {
  const { ask, tables, clock } = setUp({ uses: 1, role: 'worker', expiresAtMs: NOW_MS + 100 });
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER))), 'ok');
  const first = tables.member(STRANGER);
  clock.advance(200);
  assert.equal(await ask(LIAR, joined(LIAR, row(STRANGER, { name: 'again' }))), 'ok');
  assert.deepEqual(tables.member(STRANGER), first, 'what is new of it it announces itself');
  assert.equal(await ask(STRANGER, { type: 'admit', member: row(STRANGER, { name: 'again' }) }), 'ok');
  assert.deepEqual(tables.member(STRANGER), { ...first, name: 'again' });
  assert.equal(tables.tokens.join(tokenId(TOKEN))?.used, 1);
});

test('a member can not take back the row of another by bringing its proof of before again', async () => {
  const { ask, apply, tables, admission } = setUp();
  const proved = joined(LIAR, row(STRANGER, { apiToken: '1'.repeat(64) }));
  assert.equal(await ask(LIAR, proved), 'ok');
  const moved = row(STRANGER, { addresses: ['/ip4/192.0.2.9/tcp/1'], apiToken: '2'.repeat(64) });
  assert.equal(await ask(STRANGER, { type: 'admit', member: moved }), 'ok');
  const before = tables.fingerprint();
  assert.equal(await ask(LIAR, proved), 'ok');
  assert.ok((await admission.invited(tokenId(TOKEN), row(STRANGER))).ok);
  const late = {
    type: 'member-admit',
    member: memberOf(STRANGER),
    tokenId: tokenId(TOKEN),
    atMs: 9,
  } as const;
  assert.deepEqual(apply(late), { ok: true }, 'one that was on its way to the log');
  assert.equal(tables.fingerprint(), before);
});

test('a member changes its row a few times, and then once in half a minute: every log keeps each change', async () => {
  const { ask, clock, tables } = setUp();
  let changes = 0;
  const change = async (): Promise<string> => {
    const name = `name ${++changes}`;
    return ask(LIAR, { type: 'admit', member: row(LIAR, { name }) });
  };
  const answers: string[] = [];
  for (let call = 0; call < 100; call++) answers.push(await change());
  assert.deepEqual(new Set(answers.slice(4)), new Set(['TOO_OFTEN']));
  assert.equal(tables.member(LIAR)?.name, 'name 4');
  assert.equal(
    await ask(LIAR, { type: 'admit', member: row(LIAR, { name: 'name 4' }) }),
    'ok',
    'nothing new',
  );
  assert.equal(
    await ask(FRIEND, { type: 'admit', member: row(FRIEND, { name: 'x' }) }),
    'ok',
    'another member',
  );
  clock.advance(30_000);
  assert.deepEqual([await change(), await change()], ['ok', 'TOO_OFTEN']);
});

test('a node tells a few addresses of itself, none longer than the name of a host makes it', () => {
  const isTold = (addresses: readonly string[]): boolean => isValid(NewMember, row(FRIEND, { addresses }));
  const long = `/dns4/${'a'.repeat(253)}/tcp/65535`;
  assert.ok(isTold(Array.from({ length: 16 }, () => long)));
  assert.ok(!isTold(Array.from({ length: 17 }, () => long)));
  assert.ok(!isTold([`/dns4/${'a'.repeat(500)}/tcp/65535`]));
});

test('admissions that are under way together fill the cluster, and no more', async () => {
  const { tables, apply, clock, ask } = setUp();
  for (let at = tables.members().length; at < MAX_MEMBERS - 1; at++)
    apply({ type: 'member-put', member: memberOf(peerId(`member${at}e`)) });
  const begun: (() => void)[] = [];
  const propose = async (command: Command) => {
    await new Promise<void>((go) => begun.push(go));
    return succeed(apply(command));
  };
  const admission = new Admission({ mesh: { id: MASTER }, tables, propose, clock });
  const late = ['one', 'two', 'three'].map((name) =>
    admission.answer(FRIEND, joined(FRIEND, row(peerId(name)))),
  );
  assert.equal(begun.length, 3, 'all have found room');
  for (const go of begun) go();
  assert.deepEqual((await Promise.all(late)).map(({ type }) => type).sort(), ['ok', 'refused', 'refused']);
  assert.equal(tables.members().length, MAX_MEMBERS);
  assert.equal(tables.tokens.join(tokenId(TOKEN))?.used, 1);
  assert.equal(await ask(FRIEND, joined(FRIEND, row(peerId('four')))), 'CONFLICT');
  assert.deepEqual(apply({ type: 'member-put', member: memberOf(peerId('five')) }), {
    ok: false,
    code: 'FULL',
  });
});

for (const [code, token] of [
  ['EXPIRED', { expiresAtMs: NOW_MS }],
  ['REVOKED', { revokedAtMs: 2 }],
  ['USED_UP', { uses: 1, used: 1 }],
] as const) {
  test(`a token that is ${code} when it comes to the log lets nobody in, whoever let it pass`, async () => {
    const { admission } = setUp(token);
    const answer = await admission.answer(FRIEND, joined(FRIEND, row(STRANGER)));
    assert.ok(answer.type === 'refused' && answer.code === code, JSON.stringify(answer));
    assert.match(answer.message, /fsched token create --join/);
  });
}

test('a removed member is let in neither by its proof of before nor by a token of before', async () => {
  const { ask, apply } = setUp();
  const old = joined(FRIEND, row(STRANGER));
  assert.equal(await ask(FRIEND, old), 'ok');
  const spare = 'a token of the same day';
  apply({ type: 'join-token-put', token: joinTokenOf(spare), replaces: null });
  apply({ type: 'member-remove', id: STRANGER, atMs: 5 });
  assert.equal(await ask(FRIEND, old), 'REVOKED', 'a member that kept the proof brings it again');
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER), spare)), 'REMOVED');
  assert.equal(await ask(FRIEND, joined(FRIEND, row(peerId('new')))), 'REVOKED', 'under another peer id');
  // By the order of the log, whatever the clocks of the masters say.
  const next = 'a token for it';
  apply({ type: 'join-token-put', token: joinTokenOf(next, { createdAtMs: 1 }), replaces: null });
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER), next)), 'ok');
});

test('a rotation while a node joins: the old token lets it in no more, the new one does at once', async () => {
  const { ask, apply } = setUp();
  const [begun, next] = [joined(FRIEND, row(STRANGER)), 'the next join token'];
  apply({ type: 'join-token-put', token: joinTokenOf(next), replaces: tokenId(TOKEN) });
  assert.equal(await ask(FRIEND, begun), 'REVOKED');
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER), next)), 'ok');
});

test('a token for workers makes members that never vote, however they come', async () => {
  const { ask, admission, tables } = setUp({ role: 'worker' });
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER))), 'ok');
  const invited = peerId('invited');
  assert.ok((await admission.invited(tokenId(TOKEN), row(invited))).ok);
  for (const id of [STRANGER, invited]) assert.equal(tables.member(id)?.mayVote, false);
  // Nor by news of itself, or by another token.
  assert.equal(await ask(STRANGER, { type: 'admit', member: row(STRANGER, { name: 'x' }) }), 'ok');
  assert.equal(tables.member(STRANGER)?.mayVote, false);
});

test('who was called in by a dead token is refused with what to do', async () => {
  const { admission } = setUp({ revokedAtMs: 3 });
  const answer = await admission.invited(tokenId(TOKEN), row(STRANGER));
  assert.ok(!answer.ok && answer.error.code === 'CONFLICT');
  assert.match(answer.error.message, /revoked; make another/);
});

test('addresses are multiaddrs of TCP', async () => {
  const { ask } = setUp();
  const judged = (addresses: readonly string[]) =>
    ask(FRIEND, { type: 'admit', member: row(FRIEND, { addresses }) });
  for (const good of [
    '/ip4/192.0.2.1/tcp/8300',
    '/ip6/2001:db8::1/tcp/1',
    '/dns/node-7.example/tcp/65535',
    '/ip6zone/eth0/ip6/fe80::1/tcp/8300',
  ]) {
    assert.equal(await judged([good]), 'ok', good);
  }
  for (const bad of [
    'garbage',
    '192.0.2.1:8300',
    '/ip4/192.0.2.1/udp/8300',
    '/ip4/300.0.2.1/tcp/8300',
    '/ip6/192.0.2.1/tcp/8300',
    '/ip4/192.0.2.1/tcp/0',
    '/ip4/192.0.2.1/tcp/70000',
    '/unix/tmp/socket',
    `/ip4/192.0.2.1/tcp/8300/p2p/${LIAR}`,
    '/dns/a b/tcp/1',
  ]) {
    assert.equal(await judged(['/ip4/192.0.2.1/tcp/8300', bad]), 'BAD_ADDRESS', bad);
  }
});

test('who was called in is refused with an address that leads nowhere', async () => {
  const { admission, tables } = setUp();
  const answer = await admission.invited(tokenId(TOKEN), row(STRANGER, { addresses: ['garbage'] }));
  assert.match(answer.ok ? '' : answer.error.message, /a multiaddr of TCP/);
  assert.equal(tables.member(STRANGER), undefined);
});

test('a cluster with the most members there may be takes no other one, and news of those it has', async () => {
  const { ask, apply, tables } = setUp();
  for (let index = tables.members().length; index < MAX_MEMBERS; index += 1)
    apply({ type: 'member-put', member: memberOf(peerId(`n${index}z`)) });
  assert.equal(await ask(FRIEND, joined(FRIEND, row(STRANGER))), 'CONFLICT');
  assert.equal(tables.members().length, MAX_MEMBERS);
  assert.equal(await ask(FRIEND, { type: 'admit', member: row(FRIEND, { name: 'new' }) }), 'ok');
});

test('the founding token comes into a log that has none, once, and ends after its time', async () => {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const ownToken = { id: tokenId(TOKEN), key: joinKey(TOKEN) };
  const propose = async (command: Command) => succeed(apply(command));
  const put = (own: typeof ownToken | null, foundingTokenTtl: number | null = 500) =>
    putFoundingToken({ foundingTokenTtl }, { self: MASTER, tables, ownToken: own, propose, clock, logger });
  await put(null);
  assert.deepEqual(tables.tokens.joinTokens(), []);
  await put(ownToken);
  assert.equal(tables.tokens.join(ownToken.id)?.expiresAtMs, clock.nowMs() + 500);
  await put({ id: tokenId('of another member'), key: joinKey('of another member') });
  assert.equal(tables.tokens.joinTokens().length, 1);
  tables.reset();
  await put(ownToken, null);
  assert.equal(tables.tokens.join(ownToken.id)?.expiresAtMs, null);
});

test('the founding token goes with who founded the cluster, and with members of before there were tokens', async () => {
  const { apply, ask, tables } = setUp();
  assert.equal(tables.member(FRIEND)?.joinedBy, null);
  apply({ type: 'member-remove', id: FRIEND, atMs: 9 });
  assert.equal(tables.tokens.join(tokenId(TOKEN))?.revokedAtMs, 9);
  assert.equal(await ask(LIAR, joined(LIAR, row(STRANGER))), 'REVOKED');
});

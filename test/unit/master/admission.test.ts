import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseAdmission } from '../../../node/master/admission.ts';
import type { Member } from '../../../protocols/schema/member.ts';
import type { ShownProof } from '../../../protocols/schema/messages.ts';
import { memberOf, newMemberOf, peerId } from '../../builders/nouns.ts';

const [MASTER, FRIEND, LIAR, STRANGER] = ['master', 'friend', 'liar', 'stranger'].map(peerId) as [
  string,
  string,
  string,
  string,
];
const row = newMemberOf;
const nonce = new Uint8Array(32);
const PROOF: ShownProof = { dialler: nonce, answerer: nonce, mac: nonce };
const members = new Map<string, Member>([FRIEND, LIAR].map((id) => [id, memberOf(id)]));

/** `ok`, or the code of the refusal. `proved`: who showed whom that it knows the token. */
function judge(
  from: string,
  request: Parameters<typeof refuseAdmission>[1],
  proved: readonly [string, string] | null = null,
): string {
  const refusal = refuseAdmission(from, request, {
    mesh: { id: MASTER },
    tables: { member: (id) => members.get(id) },
    provesToken: (joiner, answerer) => joiner === proved?.[0] && answerer === proved[1],
  });
  return refusal?.code ?? 'ok';
}

test('a member changes its own name and addresses, and the founder puts itself into the table', () => {
  assert.equal(judge(FRIEND, { type: 'admit', member: row(FRIEND, { name: 'new' }) }), 'ok');
  assert.equal(judge(MASTER, { type: 'admit', member: row(MASTER) }), 'ok');
});

test('no member changes the row of another, or admits anybody by its word', () => {
  for (const id of [FRIEND, MASTER, STRANGER]) {
    assert.equal(judge(LIAR, { type: 'admit', member: row(id) }), 'NOT_YOURSELF', id);
    assert.equal(judge(LIAR, { type: 'admit-joiner', member: row(id), proof: PROOF }), 'NOT_PROVED', id);
  }
});

test('who is no member any more does not come back by announcing itself', () => {
  assert.equal(judge(STRANGER, { type: 'admit', member: row(STRANGER) }), 'NOT_YOURSELF');
});

test('a joiner is admitted by the proof that it showed to who brings it, and by no other', () => {
  const request = { type: 'admit-joiner', member: row(STRANGER), proof: PROOF } as const;
  assert.equal(judge(FRIEND, request, [STRANGER, FRIEND]), 'ok');
  assert.equal(judge(LIAR, request, [STRANGER, FRIEND]), 'NOT_PROVED', 'a proof that was shown to another');
  const another = { ...request, member: row(MASTER) };
  assert.equal(judge(FRIEND, another, [STRANGER, FRIEND]), 'NOT_PROVED', 'the proof of another');
});

test('addresses are multiaddrs of TCP', () => {
  const judged = (addresses: readonly string[]) =>
    judge(FRIEND, { type: 'admit', member: row(FRIEND, { addresses }) });
  for (const good of [
    '/ip4/192.0.2.1/tcp/8300',
    '/ip6/2001:db8::1/tcp/1',
    '/dns/node-7.example/tcp/65535',
    '/ip6zone/eth0/ip6/fe80::1/tcp/8300',
  ]) {
    assert.equal(judged([good]), 'ok', good);
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
    assert.equal(judged(['/ip4/192.0.2.1/tcp/8300', bad]), 'BAD_ADDRESS', bad);
  }
});

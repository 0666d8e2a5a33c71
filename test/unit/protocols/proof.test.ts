import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { streamPair } from '@libp2p/utils';
import { encode as encodeCbor } from 'cborg';
import fc from 'fast-check';
import { proveAsDialler } from '../../../protocols/proof/client.ts';
import { proveAsAnswerer } from '../../../protocols/proof/handler.ts';
import { MAX_FRAME_BYTES, type ProofParties } from '../../../protocols/proof/index.ts';
import { isProof, proofMac, sameMac } from '../../../protocols/proof/mac.ts';
import {
  NONCE_BYTES,
  ProofChallenge,
  ProofHello,
  ProofShown,
  ProofVerdict,
} from '../../../protocols/schema/messages.ts';
import { encode, readMessage, sendMessage } from '../../../protocols/wire/codec.ts';
import { StreamReader } from '../../../protocols/wire/reader.ts';
import { writeFrame } from '../../../protocols/wire/writer.ts';

const TOKEN = new Uint8Array(32).fill(1);
const WRONG = new Uint8Array(32).fill(2);
const PARTIES: ProofParties = { dialler: 'D', answerer: 'A', purpose: 'join' };
const judge = async (right: boolean) => (right ? null : ('WRONG_TOKEN' as const));

/** Runs both halves against each other. */
async function proof(
  dialler: { readonly token?: Uint8Array; readonly parties?: Partial<ProofParties> },
  answerer: { readonly token?: Uint8Array; readonly parties?: Partial<ProofParties> },
) {
  const [near, far] = await streamPair();
  const [dialled, answered] = await Promise.all([
    proveAsDialler(near, new StreamReader(near), dialler.token ?? TOKEN, { ...PARTIES, ...dialler.parties }),
    proveAsAnswerer(
      far,
      new StreamReader(far),
      answerer.token ?? TOKEN,
      { ...PARTIES, ...answerer.parties },
      judge,
    ),
  ]);
  return [dialled, answered.ok ? null : answered.error];
}

test('the same token on both ends, bound to the same peers: proved both ways', async () => {
  assert.deepEqual(await proof({}, {}), [null, null]);
});

test('another token is wrong, whichever end has it', async () => {
  assert.deepEqual(await proof({ token: WRONG }, {}), ['WRONG_TOKEN', 'WRONG_TOKEN']);
  assert.deepEqual(await proof({}, { token: WRONG }), ['WRONG_TOKEN', 'WRONG_TOKEN']);
});

for (const [what, parties] of [
  ['relayed from another dialler', { dialler: 'M' }],
  ['relayed to another answerer', { answerer: 'M' }],
] as const) {
  test(`a proof that is ${what} is wrong although the token is right`, async () => {
    assert.deepEqual(await proof({ parties }, {}), ['WRONG_TOKEN', 'WRONG_TOKEN']);
  });
}

test('a proof for one purpose is none for another', async () => {
  const [near, far] = await streamPair();
  const dialled = proveAsDialler(near, new StreamReader(near), TOKEN, { ...PARTIES, purpose: 'inspect' });
  dialled.catch(() => {});
  await assert.rejects(proveAsAnswerer(far, new StreamReader(far), TOKEN, PARTIES, judge), {
    code: 'MALFORMED',
  });
  far.abort(new Error('refused'));
  await assert.rejects(dialled);
});

/** The dialler's half by hand. */
async function hello(stream: Stream, nonce: Uint8Array) {
  await writeFrame(stream, encodeCbor({ nonce, purpose: PARTIES.purpose }));
}
async function show(stream: Stream, mac: Uint8Array) {
  await sendMessage(stream, ProofShown, { mac }, MAX_FRAME_BYTES);
}

test('who answered can pass the proof on: it shows that this dialler proved the token to that answerer, no more', async () => {
  const [near, far] = await streamPair();
  const [, proof] = await Promise.all([
    proveAsDialler(near, new StreamReader(near), TOKEN, PARTIES),
    proveAsAnswerer(far, new StreamReader(far), TOKEN, PARTIES, judge),
  ]);
  assert.ok(proof.ok);
  assert.ok(isProof(TOKEN, PARTIES, proof.value));
  assert.ok(!isProof(WRONG, PARTIES, proof.value));
  for (const other of [{ dialler: 'M' }, { answerer: 'M' }, { purpose: 'inspect' }]) {
    assert.ok(!isProof(TOKEN, { ...PARTIES, ...other }, proof.value), JSON.stringify(other));
  }
  const swapped = { ...proof.value, dialler: proof.value.answerer };
  assert.ok(!isProof(TOKEN, PARTIES, swapped));
});

test('a recorded proof, played again, is wrong: the answerer has another nonce', async () => {
  const ours = new Uint8Array(NONCE_BYTES).fill(5);
  let recorded: Uint8Array | null = null;
  for (const expected of ['mac', 'refusal']) {
    const [near, far] = await streamPair();
    const reader = new StreamReader(near);
    const answered = proveAsAnswerer(far, new StreamReader(far), TOKEN, PARTIES, judge);
    await hello(near, ours);
    const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
    recorded ??= proofMac(TOKEN, 'dialler', PARTIES, { dialler: ours, answerer: challenge.nonce });
    await show(near, recorded);
    const verdict = await readMessage(reader, ProofVerdict, MAX_FRAME_BYTES);
    assert.equal(verdict.type, expected);
    await answered;
  }
});

test('an answerer that sends the dialler its own proof back has proved nothing', async () => {
  const [near, far] = await streamPair();
  const reader = new StreamReader(far);
  const dialled = proveAsDialler(near, new StreamReader(near), TOKEN, PARTIES);
  const { nonce } = await readMessage(reader, ProofHello, MAX_FRAME_BYTES);
  await sendMessage(far, ProofChallenge, { nonce }, MAX_FRAME_BYTES);
  const { mac } = await readMessage(reader, ProofShown, MAX_FRAME_BYTES);
  await sendMessage(far, ProofVerdict, { type: 'mac', mac }, MAX_FRAME_BYTES);
  assert.equal(await dialled, 'WRONG_TOKEN');
});

test('who shows a wrong proof, or none, learns nothing that depends on the token', async () => {
  const [near, far] = await streamPair();
  const reader = new StreamReader(near);
  const answered = proveAsAnswerer(far, new StreamReader(far), TOKEN, PARTIES, judge);
  await hello(near, new Uint8Array(NONCE_BYTES));
  const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
  assert.deepEqual(Object.keys(challenge), ['nonce']);
  await show(near, new Uint8Array(32));
  const verdict = await reader.expectFrame(MAX_FRAME_BYTES);
  const bare = encode(ProofVerdict, { type: 'refusal', code: 'WRONG_TOKEN' });
  assert.deepEqual(Buffer.from(verdict), Buffer.from(bare));
  assert.deepEqual(await answered, { ok: false, error: 'WRONG_TOKEN' });
});

test('the token itself never crosses the wire', async () => {
  const [near, far] = await streamPair();
  const seen: Buffer[] = [];
  for (const stream of [near, far]) {
    stream.addEventListener('message', ({ data }) => seen.push(Buffer.from(data.subarray())));
  }
  await Promise.all([
    proveAsDialler(near, new StreamReader(near), TOKEN, PARTIES),
    proveAsAnswerer(far, new StreamReader(far), TOKEN, PARTIES, judge),
  ]);
  assert.ok(Buffer.concat(seen).length > 4 * 32);
  assert.equal(Buffer.concat(seen).includes(Buffer.from(TOKEN.subarray(0, 8))), false);
});

test('a mac depends on every field, and fields can not run into each other', () => {
  const nonce = fc.uint8Array({ minLength: 1, maxLength: 8 });
  const fields = fc.record({
    role: fc.constantFrom('dialler', 'answerer'),
    dialler: fc.string({ maxLength: 4 }),
    answerer: fc.string({ maxLength: 4 }),
    purpose: fc.string({ maxLength: 4 }),
    ours: nonce,
    theirs: nonce,
  });
  const mac = (of: typeof fields extends fc.Arbitrary<infer T> ? T : never) =>
    proofMac(TOKEN, of.role, of, { dialler: of.ours, answerer: of.theirs });
  fc.assert(
    fc.property(fields, fields, (one, other) => {
      const same = JSON.stringify(one) === JSON.stringify(other);
      assert.equal(sameMac(mac(one), mac(other)), same);
    }),
  );
  const moved = { role: 'dialler', ours: new Uint8Array(1), theirs: new Uint8Array(1), purpose: '' } as const;
  assert.equal(
    sameMac(mac({ ...moved, dialler: 'ab', answerer: 'c' }), mac({ ...moved, dialler: 'a', answerer: 'bc' })),
    false,
  );
  assert.equal(sameMac(mac({ ...moved, dialler: '', answerer: '' }), new Uint8Array(31)), false);
});

test('nonsense in place of a hello is an error, not a crash', async () => {
  for (const nonce of [new Uint8Array(), new Uint8Array(31), new Uint8Array(64)]) {
    const [near, far] = await streamPair();
    const answered = proveAsAnswerer(far, new StreamReader(far), TOKEN, PARTIES, judge);
    await hello(near, nonce);
    await assert.rejects(answered, { code: 'MALFORMED' });
  }
});

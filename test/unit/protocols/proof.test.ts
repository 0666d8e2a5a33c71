import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { streamPair } from '@libp2p/utils';
import { encode as encodeCbor } from 'cborg';
import fc from 'fast-check';
import { requestJoin } from '../../../protocols/join/client.ts';
import { serveJoin } from '../../../protocols/join/handler.ts';
import { inviteAsDialler, proveAsDialler } from '../../../protocols/proof/client.ts';
import { inviteAsAnswerer, proveAsAnswerer, readHello } from '../../../protocols/proof/handler.ts';
import {
  type Known,
  type LookUp,
  MAX_FRAME_BYTES,
  type ProofParties,
} from '../../../protocols/proof/index.ts';
import {
  isMac,
  isProof,
  isSignature,
  macOf,
  signatureOf,
  transcriptOf,
} from '../../../protocols/proof/signature.ts';
import { joinCredential, joinKey, tokenId } from '../../../protocols/proof/token-keys.ts';
import {
  JoinRequest,
  NONCE_BYTES,
  ProofChallenge,
  ProofShown,
  ProofVerdict,
} from '../../../protocols/schema/messages.ts';
import { decode, encode, readMessage, sendMessage } from '../../../protocols/wire/codec.ts';
import { StreamReader } from '../../../protocols/wire/reader.ts';
import { frame, writeFrame } from '../../../protocols/wire/writer.ts';
import { newMemberOf, peerId } from '../../builders/nouns.ts';

const [TOKEN, WRONG] = ['the join token of a cluster', 'another join token'];
const BEARER = joinCredential(TOKEN);
const PARTIES: ProofParties = { dialler: 'D', answerer: 'A', purpose: 'join', about: new Uint8Array(32) };
const judge = async (right: boolean) => (right ? null : ('WRONG_TOKEN' as const));

/** Of a member whose cluster has this token. */
const knows =
  (token: string, refusal: Known['refusal'] = null): LookUp =>
  ({ type, id }) =>
    type === 'token' && id === tokenId(token) ? { key: joinKey(token), refusal } : null;

async function answer(stream: Stream, lookUp: LookUp, ends: Partial<ProofParties> = {}) {
  const reader = new StreamReader(stream);
  return proveAsAnswerer(stream, reader, await readHello(reader), lookUp, { ...PARTIES, ...ends }, judge);
}

/** Runs both halves against each other: what either end is told. */
async function proof(
  dialler: { readonly token?: string; readonly parties?: Partial<ProofParties> },
  answerer: { readonly lookUp?: LookUp; readonly parties?: Partial<ProofParties> } = {},
) {
  const [near, far] = await streamPair();
  const credential = joinCredential(dialler.token ?? TOKEN);
  const [dialled, answered] = await Promise.all([
    proveAsDialler(near, new StreamReader(near), credential, { ...PARTIES, ...dialler.parties }),
    answer(far, answerer.lookUp ?? knows(TOKEN), answerer.parties),
  ]);
  return [dialled, answered.ok ? null : answered.error];
}

test('who holds the token proves it to who knows its key, and is shown that it is known', async () => {
  assert.deepEqual(await proof({}), [null, null]);
});

test('another token is wrong, whether its id is known or not', async () => {
  assert.deepEqual(await proof({ token: WRONG }), ['WRONG_TOKEN', 'WRONG_TOKEN']);
  const mistaken: LookUp = () => ({ key: joinKey(WRONG), refusal: null });
  assert.deepEqual(await proof({}, { lookUp: mistaken }), ['WRONG_TOKEN', 'WRONG_TOKEN']);
});

for (const [what, parties] of [
  ['relayed from another dialler', { dialler: 'M' }],
  ['relayed to another answerer', { answerer: 'M' }],
] as const) {
  test(`a proof that is ${what} is wrong although the token is right`, async () => {
    assert.deepEqual(await proof({ parties }), ['WRONG_TOKEN', 'WRONG_TOKEN']);
  });
}

for (const code of ['EXPIRED', 'REVOKED', 'USED_UP'] as const) {
  test(`that a token is ${code} is told to who proves it, and to nobody else`, async () => {
    const lookUp = knows(TOKEN, code);
    assert.deepEqual(await proof({}, { lookUp }), [code, code]);
    assert.deepEqual(await proof({ token: WRONG }, { lookUp }), ['WRONG_TOKEN', 'WRONG_TOKEN']);
    // The id is no secret: whoever only names it learns no more than from one that nobody knows.
    const named: LookUp = () => ({ key: joinKey(TOKEN), refusal: code });
    assert.deepEqual(await proof({ token: WRONG }, { lookUp: named }), ['WRONG_TOKEN', 'WRONG_TOKEN']);
  });
}

test('a node that does not know yet what its cluster knows says so, and calls no token wrong', async () => {
  let judged = 0;
  const [near, far] = await streamPair();
  const reader = new StreamReader(far);
  const [dialled] = await Promise.all([
    proveAsDialler(near, new StreamReader(near), BEARER, PARTIES),
    (async () => {
      const hello = await readHello(reader);
      await proveAsAnswerer(
        far,
        reader,
        hello,
        () => 'not-ready',
        PARTIES,
        async () => {
          judged += 1;
          return null;
        },
      );
    })(),
  ]);
  assert.deepEqual([dialled, judged], ['NOT_READY', 0]);
});

test('who calls in shows that it knows the token of who waits, and is shown that it is held', async () => {
  const invited = async (lookUp: LookUp, token: string | null) => {
    const [near, far] = await streamPair();
    const reader = new StreamReader(far);
    const [dialled, answered] = await Promise.all([
      inviteAsDialler(near, new StreamReader(near), lookUp, PARTIES).then((outcome) => {
        if (!outcome.ok) near.abort(new Error('no'));
        return outcome;
      }),
      (async () => {
        const hello = await readHello(reader);
        assert.equal(hello.bearer, null);
        const own = token === null ? null : joinCredential(token);
        return inviteAsAnswerer(far, reader, hello, own, PARTIES, judge);
      })().catch(() => 'broken off'),
    ]);
    return [dialled.ok ? dialled.value : dialled.error, answered];
  };
  assert.deepEqual(await invited(knows(TOKEN), TOKEN), [tokenId(TOKEN), null]);
  assert.deepEqual(await invited(knows(TOKEN), WRONG), ['WRONG_TOKEN', 'broken off']);
  assert.deepEqual(await invited(knows(TOKEN, 'EXPIRED'), TOKEN), ['EXPIRED', 'broken off']);
  assert.deepEqual(await invited(knows(TOKEN), null), ['NO_TOKEN', 'broken off']);
  const mistaken: LookUp = () => ({ key: joinKey(WRONG), refusal: null });
  assert.deepEqual(await invited(mistaken, TOKEN), ['WRONG_TOKEN', 'WRONG_TOKEN']);
});

test('whoever knows all that members know of a token can not prove it', () => {
  const key = joinKey(TOKEN);
  const nonces = { dialler: new Uint8Array(32), answerer: new Uint8Array(32) };
  const transcript = transcriptOf('dialler', PARTIES, nonces);
  const forged = signatureOf({ ...BEARER, seed: key }, transcript);
  for (const signature of [forged, Uint8Array.from([...macOf(key, transcript), ...key]), new Uint8Array(64)])
    assert.equal(isProof(key, PARTIES, { ...nonces, signature }), false);
  assert.ok(isProof(key, PARTIES, { ...nonces, signature: signatureOf(BEARER, transcript) }));
});

/** The dialler's half by hand. */
async function hello(stream: Stream, nonce: Uint8Array) {
  const { purpose, about } = PARTIES;
  await writeFrame(stream, encodeCbor({ nonce, purpose, about, bearer: BEARER.bearer }));
}

test('who answered can pass the proof on: it shows that this dialler proved this request to that answerer, no more', async () => {
  const [near, far] = await streamPair();
  const [, shown] = await Promise.all([
    proveAsDialler(near, new StreamReader(near), BEARER, PARTIES),
    answer(far, knows(TOKEN)),
  ]);
  assert.ok(shown.ok);
  const key = joinKey(TOKEN);
  assert.ok(isProof(key, PARTIES, shown.value));
  assert.ok(!isProof(joinKey(WRONG), PARTIES, shown.value));
  const others = [{ dialler: 'M' }, { answerer: 'M' }, { purpose: 'inspect' }, { about: new Uint8Array(31) }];
  for (const other of others)
    assert.ok(!isProof(key, { ...PARTIES, ...other }, shown.value), JSON.stringify(other));
  const swapped = { ...shown.value, dialler: shown.value.answerer };
  assert.ok(!isProof(key, PARTIES, swapped));
});

test('a recorded proof, played again, is wrong: the answerer has another nonce', async () => {
  const ours = new Uint8Array(NONCE_BYTES).fill(5);
  let recorded: Uint8Array | null = null;
  for (const expected of ['proof', 'refusal']) {
    const [near, far] = await streamPair();
    const reader = new StreamReader(near);
    const answered = answer(far, knows(TOKEN));
    await hello(near, ours);
    const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
    const nonces = { dialler: ours, answerer: challenge.nonce };
    recorded ??= signatureOf(BEARER, transcriptOf('dialler', PARTIES, nonces));
    await sendMessage(near, ProofShown, { proof: recorded }, MAX_FRAME_BYTES);
    const verdict = await readMessage(reader, ProofVerdict, MAX_FRAME_BYTES);
    assert.equal(verdict.type, expected);
    await answered;
  }
});

test('an answerer that sends the dialler its own proof back has proved nothing', async () => {
  const [near, far] = await streamPair();
  const reader = new StreamReader(far);
  const dialled = proveAsDialler(near, new StreamReader(near), BEARER, PARTIES);
  const { nonce } = await readHello(reader);
  await sendMessage(far, ProofChallenge, { nonce, token: null }, MAX_FRAME_BYTES);
  const shown = await readMessage(reader, ProofShown, MAX_FRAME_BYTES);
  await sendMessage(far, ProofVerdict, { type: 'proof', proof: shown.proof }, MAX_FRAME_BYTES);
  assert.equal(await dialled, 'WRONG_TOKEN');
});

test('who shows a wrong proof, or none, learns nothing that depends on the token', async () => {
  for (const lookUp of [knows(TOKEN), knows(TOKEN, 'REVOKED'), knows(WRONG)]) {
    const [near, far] = await streamPair();
    const reader = new StreamReader(near);
    const answered = answer(far, lookUp);
    await hello(near, new Uint8Array(NONCE_BYTES));
    const challenge = await readMessage(reader, ProofChallenge, MAX_FRAME_BYTES);
    assert.deepEqual(Object.keys(challenge).sort(), ['nonce', 'token']);
    assert.equal(challenge.token, null);
    await sendMessage(near, ProofShown, { proof: new Uint8Array(64) }, MAX_FRAME_BYTES);
    const verdict = await reader.expectFrame(MAX_FRAME_BYTES);
    const bare = encode(ProofVerdict, { type: 'refusal', code: 'WRONG_TOKEN' });
    assert.deepEqual(Buffer.from(verdict), Buffer.from(bare));
    assert.deepEqual(await answered, { ok: false, error: 'WRONG_TOKEN' });
  }
});

test('neither the token nor its keys ever cross the wire', async () => {
  const [near, far] = await streamPair();
  const seen: Buffer[] = [];
  for (const stream of [near, far]) {
    stream.addEventListener('message', ({ data }) => seen.push(Buffer.from(data.subarray())));
  }
  await Promise.all([
    proveAsDialler(near, new StreamReader(near), BEARER, PARTIES),
    answer(far, knows(TOKEN)),
  ]);
  const all = Buffer.concat(seen);
  assert.ok(all.length > 4 * 32);
  for (const secret of [Buffer.from(TOKEN), BEARER.seed, joinKey(TOKEN)])
    assert.equal(all.includes(Buffer.from(secret.subarray(0, 8))), false);
});

test('what is proved depends on every field, and fields can not run into each other', () => {
  const nonce = fc.uint8Array({ minLength: 1, maxLength: 8 });
  const fields = fc.record({
    role: fc.constantFrom('dialler' as const, 'answerer' as const),
    dialler: fc.string({ maxLength: 4 }),
    answerer: fc.string({ maxLength: 4 }),
    purpose: fc.string({ maxLength: 4 }),
    about: fc.uint8Array({ maxLength: 4 }),
    ours: nonce,
    theirs: nonce,
  });
  type Fields = typeof fields extends fc.Arbitrary<infer T> ? T : never;
  const transcript = (of: Fields) => transcriptOf(of.role, of, { dialler: of.ours, answerer: of.theirs });
  fc.assert(
    fc.property(fields, fields, (one, other) => {
      const same = JSON.stringify(one) === JSON.stringify(other);
      assert.equal(Buffer.compare(transcript(one), transcript(other)) === 0, same);
    }),
  );
  const key = joinKey(TOKEN);
  const [bytes, others] = [new Uint8Array([1, 2]), new Uint8Array([1, 3])];
  assert.ok(isMac(key, bytes, macOf(key, bytes)) && !isMac(key, others, macOf(key, bytes)));
  assert.ok(!isMac(key, bytes, new Uint8Array(31)) && !isSignature(key, bytes, new Uint8Array(31)));
});

test('nonsense in place of a hello is an error, not a crash', async () => {
  for (const nonce of [new Uint8Array(), new Uint8Array(31), new Uint8Array(64)]) {
    const [near, far] = await streamPair();
    const answered = answer(far, knows(TOKEN));
    await hello(near, nonce);
    await assert.rejects(answered, { code: 'MALFORMED' });
  }
});

test('the request that follows is the one that was proved, of the same kind and content', async () => {
  const [self, peer] = [peerId('joiner'), peerId('member')];
  const timers = { after: () => () => {} };
  const proved = { type: 'join', member: newMemberOf(self) } as const;
  const asked = async (sent: JoinRequest) => {
    const [near, far] = await streamPair();
    const taken: JoinRequest[] = [];
    const served = serveJoin(
      far,
      { credential: null, lookUp: knows(TOKEN), self: peer, peer: self },
      {
        timers,
        judge,
        onRequest: async (request) => {
          taken.push(request);
          return { type: 'refused', code: 'NO', message: 'no' };
        },
      },
    );
    served.catch(() => near.abort(new Error('refused')));
    // Another request than was proved is put in its place on the way out.
    const send = near.send.bind(near);
    near.send = (data) => {
      const bytes = data.subarray();
      const wanted = Buffer.from(encode(JoinRequest, proved));
      const at = Buffer.from(bytes).indexOf(wanted);
      return at < 0 ? send(data) : send(frame(encode(JoinRequest, sent)));
    };
    const options = { credential: BEARER, lookUp: knows(TOKEN), self, peer };
    await requestJoin(near, proved, options, { timers }).catch(() => {});
    await served.catch(() => {});
    return taken;
  };
  assert.deepEqual(await asked(decode(JoinRequest, encode(JoinRequest, proved))), [proved]);
  const member = newMemberOf(self, { addresses: ['/ip4/192.0.2.66/tcp/1'] });
  assert.deepEqual(await asked({ type: 'join', member }), []);
  assert.deepEqual(await asked({ type: 'invite', clusterId: 'c', members: [] }), []);
});

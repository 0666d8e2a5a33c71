import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { loadCredential } from '../../../node/mesh/key-file.ts';
import { inspectPeer } from '../../../node/mesh/strangers.ts';
import type { MeshDoor, MeshError } from '../../../node/mesh/types.ts';
import { purposeOf } from '../../../protocols/join/index.ts';
import { isProof } from '../../../protocols/proof/signature.ts';
import { joinCredential, joinKey, tokenId } from '../../../protocols/proof/token-keys.ts';
import type { JoinRequest } from '../../../protocols/schema/messages.ts';
import { newMemberOf } from '../../builders/nouns.ts';
import { doorOf, Fleet, hostPort, INSPECTION, type Node, TOKEN } from './fleet.ts';

const WRONG = 'another join token';

function joinRequest({ mesh }: Node): JoinRequest {
  return { type: 'join', member: newMemberOf(mesh.id, { addresses: mesh.addresses() }) };
}

test('who knows the token is told the cluster and its members, by HOST:PORT alone', async () => {
  await using fleet = await Fleet.of(2);
  const [member, joiner] = [fleet.at(0), fleet.at(1)];
  const members = fleet.known();
  member.recorder.joining = async () => ({ type: 'admitted', clusterId: 'c', members });
  const joined = await joiner.mesh.join(hostPort(member), joinRequest(joiner));
  assert.deepEqual(joined, {
    ok: true,
    value: { peer: member.mesh.id, response: { type: 'admitted', clusterId: 'c', members }, tokenId: null },
  });
  assert.deepEqual(member.recorder.joins, [{ from: joiner.mesh.id, request: joinRequest(joiner) }]);
  // What was shown is enough for a third to know it by.
  const [proof] = member.recorder.proofs;
  const parties = { dialler: joiner.mesh.id, answerer: member.mesh.id, ...purposeOf(joinRequest(joiner)) };
  assert.ok(proof && isProof(joinKey(TOKEN), parties, proof));
});

test('a name, a multiaddr, and a multiaddr with the peer id work as well', async () => {
  await using fleet = await Fleet.of(2);
  const [member, joiner] = [fleet.at(0), fleet.at(1)];
  const [address = ''] = member.mesh.addresses();
  const port = address.split('/').at(-1);
  for (const target of [`localhost:${port}`, address, `${address}/p2p/${member.mesh.id}`]) {
    const joined = await joiner.mesh.join(target, joinRequest(joiner));
    assert.equal(joined.ok && joined.value.peer, member.mesh.id, target);
  }
});

test('an invitation is carried the same way', async () => {
  await using fleet = await Fleet.of(2);
  const [worker, master] = [fleet.at(0), fleet.at(1)];
  const member = newMemberOf(worker.mesh.id, { addresses: worker.mesh.addresses() });
  worker.recorder.joining = async () => ({ type: 'accepted', member });
  const invitation = { type: 'invite', clusterId: 'c', members: fleet.known() } as const;
  const joined = await master.mesh.join(hostPort(worker), invitation);
  assert.deepEqual(joined.ok && joined.value.response, { type: 'accepted', member });
  assert.equal(joined.ok && joined.value.tokenId, tokenId(TOKEN));
  assert.deepEqual(worker.recorder.joins, [{ from: master.mesh.id, request: invitation }]);
  assert.deepEqual(worker.recorder.proofs, [null]);
});

test('a node without a token neither asks to join nor waits to be called in', async () => {
  await using fleet = await Fleet.of(1);
  const member = fleet.at(0);
  const bare = await fleet.add({ door: { ...doorOf(TOKEN), credential: null } });
  const asked = await bare.mesh.join(hostPort(member), joinRequest(bare));
  assert.equal(asked.ok ? '' : asked.error.code, 'NO_TOKEN');
  const invited = await member.mesh.join(hostPort(bare), { type: 'invite', clusterId: 'c', members: [] });
  assert.ok(!invited.ok && invited.error.code === 'NO_TOKEN' && invited.error.peer === bare.mesh.id);
  assert.deepEqual([member.recorder.joins, bare.recorder.joins], [[], []]);
});

for (const code of ['EXPIRED', 'REVOKED', 'USED_UP'] as const) {
  test(`a token that is ${code} asks nothing, is no wrong try, and is told with what to do`, async () => {
    const dead = { key: joinKey(TOKEN), refusal: code };
    await using fleet = await Fleet.of(1, { door: { ...doorOf(TOKEN), known: () => dead } });
    const member = fleet.at(0);
    const late = await fleet.add();
    for (let round = 0; round < 4; round += 1) {
      const joined = await late.mesh.join(hostPort(member), joinRequest(late));
      assert.ok(!joined.ok && joined.error.code === code, JSON.stringify(joined));
      assert.match(joined.error.message, /fsched token create --join/);
    }
    const inspected = await inspectPeer(hostPort(member), joinCredential(TOKEN));
    assert.equal(inspected.ok ? '' : inspected.error.code, code);
    assert.deepEqual(member.recorder.joins, []);
  });
}

test('a wrong token is refused and asks nothing, however often', async () => {
  await using fleet = await Fleet.of(1);
  const member = fleet.at(0);
  const guesser = await fleet.add({ token: WRONG });
  for (let round = 0; round < 4; round += 1) {
    const joined = await guesser.mesh.join(hostPort(member), joinRequest(guesser));
    assert.equal(joined.ok ? 'JOINED' : joined.error.code, 'WRONG_TOKEN');
    assert.match(joined.ok ? '' : joined.error.message, /token/);
  }
  assert.deepEqual(member.recorder.joins, []);
});

test('who guesses locks out nobody: neither others at its address nor itself, once its token is right', async () => {
  await using fleet = await Fleet.of(1);
  const member = fleet.at(0);
  const guesser = await fleet.add({ token: WRONG });
  const guessing = (async () => {
    for (let round = 0; round < 3; round += 1)
      await guesser.mesh.join(hostPort(member), joinRequest(guesser));
  })();
  const other = await fleet.add();
  assert.equal((await other.mesh.join(hostPort(member), joinRequest(other))).ok, true);
  assert.equal((await inspectPeer(hostPort(member), joinCredential(TOKEN))).ok, true);
  await guessing;
  await guesser.mesh.stop();
  const again = await fleet.add({ keyFile: guesser.keyFile });
  assert.equal(again.mesh.id, guesser.mesh.id);
  assert.equal((await again.mesh.join(hostPort(member), joinRequest(again))).ok, true);
});

test('the dialler is also shown that the answerer knows the token: neither is fooled', async () => {
  await using fleet = await Fleet.of(1, { token: WRONG });
  const joiner = await fleet.add();
  const joined = await joiner.mesh.join(hostPort(fleet.at(0)), joinRequest(joiner));
  assert.equal(joined.ok ? '' : joined.error.code, 'WRONG_TOKEN');
});

test('dialling oneself is SELF, with and without the peer id', async () => {
  await using fleet = await Fleet.of(1);
  const node = fleet.at(0);
  for (const target of [hostPort(node), `${node.mesh.addresses()[0]}/p2p/${node.mesh.id}`]) {
    const joined = await node.mesh.join(target, joinRequest(node));
    assert.equal(joined.ok ? '' : joined.error.code, 'SELF', target);
  }
});

test('nobody there, nonsense, a web server and another peer id are told apart, in sentences', async () => {
  await using fleet = await Fleet.of(2);
  const [node, other] = [fleet.at(0), fleet.at(1)];
  const web = createServer((_request, response) => response.end());
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address() as AddressInfo;
  await using strangers = await Fleet.of(1);
  const wrongId = strangers.at(0);
  try {
    for (const [target, code] of [
      ['127.0.0.1:1', 'UNREACHABLE'],
      ['not a host', 'UNREACHABLE'],
      [`127.0.0.1:${port}`, 'PROTOCOL'],
      [`${other.mesh.addresses()[0]}/p2p/${wrongId.mesh.id}`, 'PROTOCOL'],
    ] as const) {
      const joined = await node.mesh.join(target, joinRequest(node));
      assert.equal(joined.ok ? '' : joined.error.code, code, `${target}: ${JSON.stringify(joined)}`);
    }
  } finally {
    web.close();
    await wrongId.mesh.stop();
  }
});

test('inspect shows the view to who knows the token, and to nobody else', async () => {
  await using fleet = await Fleet.of(1);
  const node = fleet.at(0);
  assert.deepEqual(await inspectPeer(hostPort(node), joinCredential(TOKEN)), {
    ok: true,
    value: { peer: node.mesh.id, view: INSPECTION },
  });
  const refused = await inspectPeer(hostPort(node), joinCredential(WRONG));
  assert.equal(refused.ok ? '' : refused.error.code, 'WRONG_TOKEN');
});

test('inspect shows the view to who has the key of a member or of the node itself, whatever became of tokens', async () => {
  const door = { credential: null, known: () => null };
  await using fleet = await Fleet.of(2, { door });
  const [node, other] = [fleet.at(0), fleet.at(1)];
  const keyOf = async ({ keyFile }: Node) => {
    const credential = await loadCredential(keyFile);
    assert.ok(credential);
    return credential;
  };
  assert.ok((await inspectPeer(hostPort(node), await keyOf(node))).ok);
  const stranger = await inspectPeer(hostPort(node), await keyOf(other));
  assert.ok(
    !stranger.ok && /key of this data directory/.test(stranger.error.message),
    JSON.stringify(stranger),
  );
  await fleet.form();
  const member = await keyOf(other);
  assert.ok((await inspectPeer(hostPort(node), member)).ok);
  // The id of a member, which is no secret, and another key.
  const liar = { ...member, seed: joinCredential(TOKEN).seed };
  assert.equal((await inspectPeer(hostPort(node), liar)).ok, false);
  // By its key a member asks for a view, and for nothing else: it joins by a token.
  const credential = member as unknown as MeshDoor['credential'];
  const asking = await fleet.add({ door: { ...door, credential } });
  const joined = await asking.mesh.join(hostPort(node), joinRequest(asking));
  assert.equal(joined.ok ? 'JOINED' : joined.error.code, 'WRONG_TOKEN');
  assert.deepEqual(node.recorder.joins, []);
  assert.equal(await loadCredential(`${node.keyFile}-none`), null);
});

test('an address that is taken is an error that says what to do', async () => {
  await using fleet = await Fleet.of(1);
  const [listen = ''] = fleet.at(0).mesh.addresses();
  await assert.rejects(fleet.add({ listen }), (error: MeshError) => {
    assert.equal(error.code, 'LISTEN');
    assert.match(error.message, /choose another/);
    return true;
  });
});

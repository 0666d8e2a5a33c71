import assert from 'node:assert/strict';
import { access, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectPeer } from '../../node/mesh/strangers.ts';
import { joinCredential, tokenId } from '../../protocols/proof/token-keys.ts';
import type { JoinToken } from '../../protocols/schema/token.ts';
import { joinTokenOf } from '../builders/nouns.ts';
import { DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { asEntry, format1, leaveDataDirectory, peerIdIn } from '../support/data-directory.ts';
import { eventually } from '../support/eventually.ts';

const FOUNDING = 'the founding token of a cluster';

/** A cluster of one whose log has these tokens, and files that hold them. */
async function clusterWith<T extends string>(tokens: Readonly<Record<T, Partial<JoinToken>>>) {
  const cluster = await TestCluster.create();
  const dataDir = cluster.nextDataDir;
  const id = await peerIdIn(dataDir);
  const names = Object.keys(tokens) as T[];
  const textOf = (name: T): string => `the join token that is for ${name}`;
  await leaveDataDirectory(dataDir, {
    founder: true,
    peers: [],
    configuration: { voters: [id], learners: [] },
    commands: [
      asEntry({ type: 'join-token-put', token: joinTokenOf(FOUNDING), replaces: null }),
      ...names.map((name) => {
        const token = joinTokenOf(textOf(name), { name, ...tokens[name] });
        return asEntry({ type: 'join-token-put', token, replaces: null });
      }),
    ],
    tokenFile: FOUNDING,
  });
  const files = {} as Record<T, string>;
  for (const name of names) {
    files[name] = join(dataDir, `token-${name}`);
    await writeFile(files[name], `${textOf(name)}\n`, { mode: 0o600 });
  }
  await cluster.add();
  const joining = (name: T, through = cluster.first) =>
    cluster.add(['--join', through.meshTarget, '--token-file', files[name]]);
  return { cluster, files, joining, textOf };
}

/** Free when it is asked for. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What the node that could not start said. */
const refusal = (start: Promise<unknown>): Promise<string> =>
  start.then(
    () => assert.fail('it started'),
    (error: Error) => error.message,
  );

test('of two that come at the same time, each at another member, one is let in by a token for one', async () => {
  const { cluster, joining } = await clusterWith({ friends: {}, one: { uses: 1 }, late: { expiresAtMs: 2 } });
  await using _ = cluster;
  const second = await joining('friends');
  const tries = await Promise.allSettled([joining('one', cluster.first), joining('one', second)]);
  const refused = tries.filter((each) => each.status === 'rejected');
  assert.equal(refused.length, 1, JSON.stringify(tries));
  assert.match(String(refused[0]?.reason), /has let in as many nodes as it may; make another/);
  const { members } = (await cluster.first.get('/cluster')).json;
  assert.equal(members.length, 3);
  // Nor does it matter whom one asks.
  assert.match(await refusal(joining('one', second)), /as many nodes as it may/);
  assert.match(await refusal(joining('late', second)), /the join token has expired; make another/);
});

test('a token for workers makes members that never vote', async () => {
  const { cluster, joining } = await clusterWith({ friends: {}, workers: { role: 'worker' } });
  await using _ = cluster;
  const worker = await joining('workers');
  await joining('friends');
  const roles = async (): Promise<string[]> =>
    (await cluster.first.get('/cluster')).json.members.map((row: { role: string }) => row.role).sort();
  await eventually(
    'a worker and a learner beside the master',
    async () => (await roles()).join() === 'learner,master,worker',
  );
  await joining('friends');
  await eventually('three voters of four members', async () => {
    const { voters } = (await cluster.first.get('/cluster')).json;
    return voters.length === 3 && !voters.includes(worker.peer);
  });
  assert.deepEqual(await roles(), ['master', 'voter', 'voter', 'worker']);
});

test('a removed member comes back by no door', async () => {
  const { cluster, files, joining, textOf } = await clusterWith({ one: { uses: 1 }, spare: {} });
  await using _ = cluster;
  const { first } = cluster;
  const leaver = await joining('one');
  await eventually('that it is known', async () => (await first.get('/cluster')).json.members.length === 2);
  const removed = await first.request(`/cluster/workers/${leaver.peer}`, { method: 'DELETE' });
  assert.equal(removed.status, 200, JSON.stringify(removed.json));
  await eventually('that it knows', async () => (await leaver.get('/healthz')).json.status === 'removed');
  const invited = await first.post('/cluster/worker/add', { host: leaver.meshTarget });
  assert.notEqual(invited.status, 200, 'called in while it runs');
  await leaver.kill('SIGKILL');

  const again = ['--join', first.meshTarget, '--token-file', files.one];
  assert.match(await refusal(leaver.start(again)), /was removed from its cluster/, 'with its data');
  await rm(join(leaver.dataDir, 'log'), { recursive: true });
  assert.match(
    await refusal(leaver.start(again)),
    /join token was revoked; make another/,
    'with its key alone',
  );
  const spare = ['--join', first.meshTarget, '--token-file', files.spare];
  assert.match(
    await refusal(leaver.start(spare)),
    /was removed from the cluster; to let it join again make a token/,
    'with its key and a token of the same day',
  );
  const other = new DaemonProcess('other', join(leaver.dataDir, '..', 'other'), cluster.flags);
  assert.match(await refusal(other.start(again)), /join token was revoked/, 'under another peer id');
  const seen = await inspectPeer(first.meshTarget, joinCredential(textOf('one')));
  assert.ok(!seen.ok && seen.error.code === 'REVOKED', 'its token shows nothing either');
  assert.equal((await first.get('/cluster')).json.members.length, 1);
});

test('a revoked token: health names the member that holds it, the founder removes its file, and members need none', async () => {
  await using cluster = await TestCluster.of(1);
  const { first } = cluster;
  const copy = join(first.dataDir, '..', 'copy-of-the-token');
  await cp(first.tokenFile, copy);
  const [second, third] = [
    await cluster.add(['--join', first.meshTarget, '--token-file', copy]),
    await cluster.join(),
  ];
  await cluster.untilVoters(3);
  const token = tokenId((await readFile(copy, 'utf8')).trim());
  assert.equal((await first.request(`/cluster/workers/${third.peer}`, { method: 'DELETE' })).status, 200);
  await eventually('no revoked token in the data directory of the founder', async () =>
    access(first.tokenFile).then(
      () => false,
      () => true,
    ),
  );
  const reasons = async (): Promise<string> =>
    (await first.get('/cluster')).json.health.reasons
      .filter((reason: string) => reason.includes(token))
      .join();
  await eventually('the name of the member that holds it', async () =>
    new RegExp(`${second.name} .*holds join token ${token}, which was revoked: remove it`).test(
      await reasons(),
    ),
  );
  await rm(copy, { force: true });
  await eventually('that nobody holds it', async () => (await reasons()) === '');

  await second.kill('SIGKILL');
  await second.start();
  await eventually('a member as before, without its file', async () =>
    (await second.get('/cluster')).json.members?.some(
      (row: { id: string; alive: boolean }) => row.id === second.peer && row.alive,
    ),
  );
  assert.ok((await second.inspect()).tables.fingerprint);
});

test('the founding token ends by itself, and nothing but joining needs it', async () => {
  await using cluster = await TestCluster.create();
  const first = await cluster.add(['--founding-token-ttl', '1s']);
  await eventually('that it has expired', async () => {
    const late = await cluster.join().then(() => 'joined', String);
    return /the join token has expired; make another on a member/.test(late);
  });
  await first.kill('SIGTERM');
  await first.start();
  assert.ok((await first.inspect()).tables.fingerprint);
  const health = (await first.get('/cluster')).json.health.reasons.join();
  assert.doesNotMatch(health, /token/);
});

test('a cluster of a release whose log had no tokens: its members stay, and its token lets nodes in', async () => {
  await using cluster = await TestCluster.create();
  const [a, b] = [join(cluster.nextDataDir, '..', 'node-1'), join(cluster.nextDataDir, '..', 'node-2')];
  const [idA, idB] = [await peerIdIn(a), await peerIdIn(b)];
  const address = `/ip4/127.0.0.1/tcp/${await freePort()}`;
  const row = (id: string, name: string, at: string) =>
    format1({ type: 'member-put', member: { id, name, addresses: [at], joinedAtMs: 3 } });
  const left = {
    configuration: { voters: [idA], learners: [idB] },
    commands: [row(idA, 'node-1', address), row(idB, 'node-2', '/ip4/127.0.0.1/tcp/1')],
    tokenFile: FOUNDING,
  };
  await leaveDataDirectory(a, { ...left, founder: true, peers: [] });
  await leaveDataDirectory(b, { ...left, founder: false, peers: [{ id: idA, addresses: [address] }] });
  const [first, second] = [await cluster.add(['--listen', address]), await cluster.add()];
  assert.deepEqual([first.peer, second.peer], [idA, idB]);
  await eventually('both up', async () => {
    const { members } = (await second.get('/cluster')).json;
    return members?.length === 2 && members.every((row: { alive: boolean }) => row.alive);
  });
  await cluster.add(['--join', second.meshTarget, '--token-file', second.tokenFile]);
  await cluster.untilVoters(3);
  await cluster.untilTablesAreEqual();
  assert.equal(await readFile(first.tokenFile, 'utf8'), `${FOUNDING}\n`, 'it stays until it is revoked');
});

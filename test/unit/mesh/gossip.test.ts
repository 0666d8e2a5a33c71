import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { identify } from '@libp2p/identify';
import type { Libp2p } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { capacityTopic } from '../../../protocols/gossip/index.ts';
import { CapacityNotice, type ClusterDigest } from '../../../protocols/schema/capacity.ts';
import { encode } from '../../../protocols/wire/codec.ts';
import { domainOf } from '../../builders/nouns.ts';
import { eventually } from '../../support/eventually.ts';
import { Fleet, type Node, notice } from './fleet.ts';

/** Publishes until each of `to` has heard: a neighbourhood forms a moment after the connection. */
async function heard(from: Node, to: readonly Node[], sequence: number) {
  for (let round = 0; ; round += 1) {
    from.mesh.publishCapacity(notice(from.mesh.id, sequence + round));
    const all = to.map(({ recorder }) =>
      recorder.until(() =>
        recorder.notices.some(({ node, sequence: at }) => node === from.mesh.id && at >= sequence),
      ),
    );
    const late = AbortSignal.timeout(500);
    const timeout = new Promise<'late'>((resolve) => late.addEventListener('abort', () => resolve('late')));
    if ((await Promise.race([Promise.all(all), timeout])) !== 'late') return;
  }
}

test('sixteen nodes on one address hear the capacity of each, as it was said', async () => {
  // Gossipsub by itself ignores who shares its address with fourteen others.
  await using fleet = await Fleet.of(16);
  await fleet.form();
  await Promise.all(
    fleet.nodes.map((node) =>
      heard(
        node,
        fleet.nodes.filter((other) => other !== node),
        1,
      ),
    ),
  );
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const got = b.recorder.notices.find(({ node }) => node === a.mesh.id);
  assert.deepEqual(got, notice(a.mesh.id, got?.sequence ?? 0));
  const own = a.recorder.notices.filter(({ node }) => node === a.mesh.id);
  assert.deepEqual(own, [], 'nobody hears itself');
});

test('the digest of the master is heard', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  await heard(a, [b], 1);
  const versions = { members: 1, tasks: 2, profiles: 3, runs: 4, models: 5, observations: 6 };
  const digest: ClusterDigest = {
    term: 7,
    master: a.mesh.id,
    commitIndex: 9,
    versions,
    queued: 1,
    running: 2,
  };
  a.mesh.publishDigest(digest);
  await b.recorder.until(() => b.recorder.digests.length > 0);
  assert.deepEqual(b.recorder.digests, [digest]);
});

test('a member that speaks for another, or nonsense, is not heeded', async () => {
  await using fleet = await Fleet.of(3);
  await fleet.form();
  const [liar, victim, listener] = [fleet.at(0), fleet.at(1), fleet.at(2)];
  await heard(liar, [victim, listener], 1);
  listener.recorder.notices.length = 0;
  liar.mesh.publishCapacity(notice(victim.mesh.id, 2000));
  liar.mesh.publishCapacity({ ...notice(liar.mesh.id, 2001), load1: Number.NaN });
  const overfull = [domainOf({ ways: 1, freeWays: 2 })];
  liar.mesh.publishCapacity({ ...notice(liar.mesh.id, 2002), domains: overfull });
  // In order behind them, so that they were judged before.
  await heard(liar, [listener], 3000);
  assert.deepEqual(
    listener.recorder.notices.filter(({ sequence }) => sequence >= 2000 && sequence < 3000),
    [],
  );
});

test('clusters on different ids do not hear each other', async () => {
  await using fleet = await Fleet.of(3);
  await fleet.form();
  const [a, b, c] = [fleet.at(0), fleet.at(1), fleet.at(2)];
  c.mesh.setCluster('another', fleet.known());
  await heard(a, [b], 1);
  assert.deepEqual(c.recorder.notices, []);
  c.mesh.setCluster('test', fleet.known());
  await heard(a, [c], 100);
});

test('a member that floods is heard a little, then not at all, and others are heard throughout', async () => {
  await using fleet = await Fleet.of(2);
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const flooder = await gossiping();
  try {
    const id = flooder.peerId.toString();
    const known = [...fleet.known(), { id, addresses: [] }];
    for (const { mesh } of fleet.nodes) mesh.setCluster('test', known);
    flooder.services.gossip.subscribe(capacityTopic('test'));
    await flooder.dial(multiaddr(a.mesh.addresses()[0] ?? ''));
    await a.recorder.until(() => a.recorder.isConnected(id) && a.recorder.isConnected(b.mesh.id));
    // Its own: on the other one it is told, and that may take its time to close.
    const hasStream = () =>
      flooder
        .getConnections()
        .some(({ streams }) =>
          streams.some(
            ({ protocol, direction }) => direction === 'outbound' && protocol.startsWith('/meshsub/'),
          ),
        );
    await eventually('gossip has a stream', hasStream);
    let sequence = 0;
    for (; hasStream(); sequence += 1) {
      const bytes = encode(CapacityNotice, notice(id, sequence));
      await flooder.services.gossip.publish(capacityTopic('test'), bytes).catch(() => {});
      // Both ends are in this process: now it is the other's turn.
      if (sequence % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(sequence < 100_000, 'it floods and is listened to');
    }
    await heard(b, [a], 1);
    const count = a.recorder.notices.filter(({ node }) => node === id).length;
    assert.ok(count > 0 && count < sequence / 4, `${count} of ${sequence} notices of the flood were heard`);
  } finally {
    await flooder.stop();
  }
});

/** A host that says by gossip whatever it likes. */
function gossiping(): Promise<Libp2p<{ gossip: GossipSub; identify: unknown }>> {
  return createLibp2p<{ gossip: GossipSub; identify: unknown }>({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      gossip: gossipsub({ allowPublishToZeroTopicPeers: true, floodPublish: true }) as never,
    },
  });
}

test('a stranger is neither heard nor told anything, and is both from the moment that it is a member', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  await heard(a, [b], 1);
  const stranger = await gossiping();
  try {
    const topic = capacityTopic('test');
    const told: string[] = [];
    const onTold = { call: () => {} };
    stranger.services.gossip.addEventListener('message', ({ detail }) => {
      told.push(detail.topic);
      onTold.call();
    });
    stranger.services.gossip.subscribe(topic);
    await stranger.dial(multiaddr(a.mesh.addresses()[0] ?? ''));
    const id = stranger.peerId.toString();
    for (let round = 0; round < 5; round += 1) {
      await stranger.services.gossip.publish(topic, encode(CapacityNotice, notice(id, round)));
      await heard(b, [a], 100 + round * 10);
      await heard(a, [b], 200 + round * 10);
    }
    assert.deepEqual(told, []);
    const heardOf = (list: readonly CapacityNotice[]) => list.filter(({ node }) => node === id);
    assert.deepEqual(heardOf(a.recorder.notices), []);

    const addresses = stranger.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/.*/, ''));
    a.mesh.setCluster('test', [...fleet.known(), { id, addresses }]);
    await a.recorder.until(() => a.recorder.isConnected(id));
    const toldOnce = new Promise<void>((resolve) => {
      onTold.call = resolve;
    });
    let sequence = 1000;
    const speaking = setInterval(() => {
      sequence += 1;
      void stranger.services.gossip.publish(topic, encode(CapacityNotice, notice(id, sequence)));
      a.mesh.publishCapacity(notice(a.mesh.id, sequence));
    }, 50);
    try {
      await a.recorder.until(() => heardOf(a.recorder.notices).length > 0);
      await toldOnce;
    } finally {
      clearInterval(speaking);
    }
    assert.deepEqual(heardOf(b.recorder.notices), [], 'b does not count it as a member');
  } finally {
    await stranger.stop();
  }
});

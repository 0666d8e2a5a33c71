import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { systemClock } from '../../../node/adapters.ts';
import {
  createDialler,
  MAX_STRANGERS,
  STRANGER_LIMIT_MS,
  STRANGER_STREAMS,
} from '../../../node/mesh/libp2p-settings.ts';
import type { Clock } from '../../../node/ports.ts';
import { BLOB_PROTOCOL } from '../../../protocols/blob/index.ts';
import { CONTROL_PROTOCOL } from '../../../protocols/control/index.ts';
import { HTTP_PROTOCOL } from '../../../protocols/http/index.ts';
import { requestInspection } from '../../../protocols/inspect/client.ts';
import { INSPECT_PROTOCOL } from '../../../protocols/inspect/index.ts';
import { JOIN_PROTOCOL } from '../../../protocols/join/index.ts';
import { LINK_PROTOCOL } from '../../../protocols/link/index.ts';
import { Fleet, type Node } from './fleet.ts';

/** A program that speaks libp2p but was never admitted. */
class Stranger implements AsyncDisposable {
  readonly host: Libp2p;
  private constructor(host: Libp2p) {
    this.host = host;
  }
  static async arrive(): Promise<Stranger> {
    const host = await createDialler(await generateKeyPair('Ed25519'));
    await host.start();
    return new Stranger(host);
  }
  dial({ mesh }: Node): Promise<Connection> {
    return this.host.dial(multiaddr(mesh.addresses()[0] ?? ''), { force: true });
  }
  async [Symbol.asyncDispose]() {
    await this.host.stop();
  }
}

function ended(stream: Stream): Promise<unknown> {
  return stream.status === 'open'
    ? new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
    : Promise.resolve();
}

for (const protocol of [CONTROL_PROTOCOL, LINK_PROTOCOL, BLOB_PROTOCOL, HTTP_PROTOCOL]) {
  test(`a stranger's ${protocol} stream is thrown away before anything of it is read`, async () => {
    await using fleet = await Fleet.of(1);
    await using stranger = await Stranger.arrive();
    const node = fleet.at(0);
    let called = false;
    node.recorder.control = async () => {
      called = true;
      return { type: 'ok' };
    };
    node.recorder.http = () => {
      called = true;
    };
    const connection = await stranger.dial(node);
    const stream = await connection.newStream(protocol);
    await ended(stream);
    assert.equal(stream.status, 'reset');
    assert.equal(called, false);
    assert.deepEqual(node.recorder.frames, []);
  });
}

test('a stranger that claims to be a member gets no view', async () => {
  await using fleet = await Fleet.of(1);
  await using stranger = await Stranger.arrive();
  const connection = await stranger.dial(fleet.at(0));
  const stream = await connection.newStream(INSPECT_PROTOCOL);
  const options = { credential: null, self: '', peer: '' };
  await assert.rejects(requestInspection(stream, options, { timers: systemClock }), { code: 'RESET' });
});

test('a connection of a stranger that does not join is closed after ten seconds', async () => {
  const limits: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    after(delayMs, task) {
      if (delayMs !== STRANGER_LIMIT_MS) return systemClock.after(delayMs, task);
      limits.push(task);
      return () => {};
    },
  };
  await using fleet = await Fleet.of(1, { clock });
  await using stranger = await Stranger.arrive();
  const connection = await stranger.dial(fleet.at(0));
  // A stream that was answered: the other end has seen the connection.
  await ended(await connection.newStream(CONTROL_PROTOCOL));
  const closed = once(connection as unknown as EventTarget, 'close');
  for (const limit of limits) limit();
  await closed;
});

test('strangers that fill all places keep nobody out: they give way, the oldest first', async () => {
  // They go when others want in, not when their time is over.
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, task) => (delayMs === STRANGER_LIMIT_MS ? () => {} : systemClock.after(delayMs, task)),
  };
  await using fleet = await Fleet.of(2, { clock });
  await using stranger = await Stranger.arrive();
  // All of one peer id: it is connections that are counted.
  const first = await arrive(stranger, fleet.at(0));
  const gone = once(first as unknown as EventTarget, 'close');
  const rest: Connection[] = [];
  for (let count = 1; count < MAX_STRANGERS; count += 1) rest.push(await arrive(stranger, fleet.at(0)));
  assert.equal(first.status, 'open');
  await using late = await Stranger.arrive();
  const lateOne = await arrive(late, fleet.at(0));
  await gone;
  assert.ok(rest.every(({ status }) => status === 'open'));
  assert.equal(lateOne.status, 'open');
  await fleet.form();
  assert.ok(
    rest.every(({ status }) => status === 'open'),
    'a member takes no place of a stranger',
  );
});

test('a stranger may open few streams, whatever they are for, and a member many', async () => {
  await using fleet = await Fleet.of(1);
  await using stranger = await Stranger.arrive();
  const node = fleet.at(0);
  const connection = await arrive(stranger, node);
  // Streams that never say what they are for, which only the muxer opens.
  const openMany = async (): Promise<number> => {
    const { muxer } = connection as Connection & { readonly muxer: { createStream(): Promise<Stream> } };
    const silent: Stream[] = [];
    for (let count = 0; count < 100; count += 1) silent.push(await muxer.createStream());
    // What comes behind them is answered behind them.
    const last = await connection.newStream(INSPECT_PROTOCOL).catch(() => null);
    last?.abort(new Error('answered'));
    return silent.filter(({ status }) => status === 'open').length;
  };
  const few = await openMany();
  // One of before may just be ending.
  assert.ok(few <= STRANGER_STREAMS + 1, `${few} streams`);
  node.mesh.setCluster('test', [...fleet.known(), { id: stranger.host.peerId.toString(), addresses: [] }]);
  assert.equal(await openMany(), 100);
});

test('a stranger that sends more than a proof takes is cut off', async () => {
  await using fleet = await Fleet.of(1);
  await using stranger = await Stranger.arrive();
  const connection = await arrive(stranger, fleet.at(0));
  const closed = once(connection as unknown as EventTarget, 'close');
  const flood = async () => {
    for (;;) {
      const stream = await connection.newStream(JOIN_PROTOCOL);
      stream.send(new Uint8Array(200 * 1024));
      await ended(stream);
    }
  };
  flood().catch(() => {});
  await closed;
});

/** A connection that the other end has seen. */
async function arrive(stranger: Stranger, node: Node): Promise<Connection> {
  const connection = await stranger.dial(node);
  await ended(await connection.newStream(CONTROL_PROTOCOL));
  return connection;
}

test('who was a member is one no more as soon as it is removed', async () => {
  // Connections that crossed may come in after the removal: as a stranger's, closed after this.
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, task) => systemClock.after(delayMs === STRANGER_LIMIT_MS ? 20 : delayMs, task),
  };
  await using fleet = await Fleet.of(2, { clock });
  await fleet.form();
  const [node, removed] = [fleet.at(0), fleet.at(1)];
  node.mesh.setCluster('test', []);
  await removed.recorder.until(() => !removed.recorder.isConnected(node.mesh.id));
  assert.deepEqual(node.mesh.peers(), []);
  node.recorder.control = () => assert.fail('a call of a former member was served');
  assert.equal((await removed.mesh.call(node.mesh.id, { type: 'held' })).ok, false);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { systemClock } from '../../../node/adapters.ts';
import { createDialler, MAX_STRANGERS, STRANGER_LIMIT_MS } from '../../../node/mesh/libp2p-settings.ts';
import type { Clock } from '../../../node/ports.ts';
import { BLOB_PROTOCOL } from '../../../protocols/blob/index.ts';
import { CONTROL_PROTOCOL } from '../../../protocols/control/index.ts';
import { HTTP_PROTOCOL } from '../../../protocols/http/index.ts';
import { requestInspection } from '../../../protocols/inspect/client.ts';
import { INSPECT_PROTOCOL } from '../../../protocols/inspect/index.ts';
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
    return this.host.dial(multiaddr(mesh.addresses()[0] ?? ''));
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
  const options = { token: null, self: '', peer: '' };
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

test('no more than some strangers are let in at a time, and members always are', async () => {
  // The first must still be there when the last has come, however long that takes.
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, task) => (delayMs === STRANGER_LIMIT_MS ? () => {} : systemClock.after(delayMs, task)),
  };
  await using fleet = await Fleet.of(2, { clock });
  const strangers: Stranger[] = [];
  try {
    for (let index = 0; index < MAX_STRANGERS; index += 1) {
      const stranger = await Stranger.arrive();
      strangers.push(stranger);
      await ended(await (await stranger.dial(fleet.at(0))).newStream(CONTROL_PROTOCOL));
    }
    await using late = await Stranger.arrive();
    await assert.rejects(async () => {
      await (await late.dial(fleet.at(0))).newStream(CONTROL_PROTOCOL);
    });
    await fleet.form();
  } finally {
    await Promise.all(strangers.map((stranger) => stranger[Symbol.asyncDispose]()));
  }
});

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

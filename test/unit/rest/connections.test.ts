/** Who takes all connections, or all that can be asked over one. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { connect as connectByTls } from 'node:tls';
import { Connections } from '../../../node/rest/connections.ts';
import { Authority, noCertificates } from '../../support/certificates.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { FakeBackend } from './fake-backend.ts';
import { nobodyTrusted, sendRaw, startRest, until } from './harness.ts';

/** A connection as far as it is counted. */
class Arrival extends EventEmitter {
  static #ports = 1024;
  readonly remoteAddress: string;
  readonly remotePort = ++Arrival.#ports;
  readonly localAddress = '192.0.2.200';
  destroyed = false;
  told = '';
  constructor(address: string) {
    super();
    this.remoteAddress = address;
  }
  end(text: string): void {
    this.told = text;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

function setUp({ tls = false, maxConnections = 1000, maxConnectionsPerAddress = 2 } = {}) {
  const clock = new FakeClock();
  const connections = new Connections(
    { maxConnections, maxConnectionsPerAddress },
    { clock, localUser: nobodyTrusted },
  );
  const server = Object.assign(new EventEmitter(), tls && { setSecureContext() {} });
  connections.limit(server as unknown as Server);
  const arrive = (address: string): Arrival => {
    const arrival = new Arrival(address);
    server.emit('connection', arrival);
    return arrival;
  };
  return { clock, connections, server, arrive };
}

describe('connections of one caller', () => {
  test('are counted by its network, whatever addresses of it it takes', () => {
    const { arrive } = setUp();
    const told = ['2001:db8::1', '2001:db8::2', '2001:db8:0:0:3::1', '2001:db8:0:1::1', '2001:db8::'].map(
      (address) => arrive(address).told.slice(0, 12),
    );
    assert.deepEqual(told, ['', '', 'HTTP/1.1 503', '', 'HTTP/1.1 503']);
  });

  test('are counted by TLS before the handshake, and told after it', () => {
    const { arrive, server, connections } = setUp({ tls: true });
    const held = [arrive('192.0.2.1'), arrive('192.0.2.1')];
    const refused = arrive('192.0.2.1');
    assert.equal(refused.told, '', 'no word of HTTP goes out before it is encrypted');
    const secure = Object.assign(new Arrival('192.0.2.1'), { remotePort: refused.remotePort });
    server.emit('secureConnection', secure);
    assert.match(secure.told, /^HTTP\/1\.1 503 /);
    assert.equal(connections.isRefused(secure as unknown as Socket), true);
    held[0]?.destroy();
    const next = arrive('192.0.2.1');
    const speaks = Object.assign(new Arrival('192.0.2.1'), { remotePort: next.remotePort });
    server.emit('secureConnection', speaks);
    assert.equal(speaks.told, '');
  });

  test('beyond its limit take no room of others while they are told', async () => {
    const { arrive, clock } = setUp();
    const all = Array.from({ length: 2 + 64 + 36 }, () => arrive('192.0.2.1'));
    await settled();
    assert.equal(all.filter(({ destroyed }) => destroyed).length, 36, 'closed without a word');
    assert.equal(all.filter(({ told }) => told !== '').length, 64);
    clock.advance(1000);
    assert.equal(all.filter(({ destroyed }) => destroyed).length, 36 + 64, 'who does not read it is cut off');
    assert.equal(arrive('192.0.2.2').told, '');
  });
});

describe('when all connections are taken', () => {
  test('the operator of the machine still gets in, and no other user of it', async () => {
    let asks = 'somebody';
    const trusts = async () => (asks === 'root' ? 'root' : null);
    await using rest = await startRest({ maxConnections: 3 }, new FakeBackend(), { trusts });
    const held = [1, 2, 3].map(() => connect(rest.port, '127.0.0.1'));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    assert.equal((await rest.call('GET', '/healthz')).status, 503);
    asks = 'root';
    assert.equal((await rest.call('GET', '/tasks')).status, 200);
    for (const socket of held) socket.destroy();
  });

  describe('by handshakes of TLS that never end', { skip: noCertificates, timeout: 60_000 }, () => {
    const stall = async (port: number): Promise<Socket[]> => {
      const sockets = [1, 2, 3].map(() => connect(port, '127.0.0.1'));
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      return sockets;
    };
    const ask = async (port: number, ca: string | Buffer): Promise<string> => {
      const socket = connectByTls({ port, host: '127.0.0.1', ca });
      await once(socket, 'secureConnect');
      socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
      const [answer] = await once(socket, 'data');
      socket.destroy();
      return String(answer).slice(0, 12);
    };

    test('these count', async () => {
      using authority = new Authority();
      const options = { maxConnections: 3, tls: authority.issue() };
      await using rest = await startRest(options, new FakeBackend(), { trusts: nobodyTrusted });
      const stalled = await stall(rest.port);
      assert.equal(await ask(rest.port, authority.ca), 'HTTP/1.1 503');
      for (const socket of stalled) socket.destroy();
    });

    test('these are closed when their time is over', async () => {
      using authority = new Authority();
      const options = { maxConnections: 3, headersTimeoutMs: 100, tls: authority.issue() };
      await using rest = await startRest(options, new FakeBackend(), { trusts: nobodyTrusted });
      const stalled = await stall(rest.port);
      await Promise.all(stalled.map((socket) => socket.closed || once(socket, 'close')));
    });
  });
});

describe('requests that come before the one in progress is answered', () => {
  const follow = 'GET /runs/r1/output?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const health = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';

  test('begin one after the other, and never when their connection is gone', async () => {
    const backend = new FakeBackend();
    const followed: Readable[] = [];
    backend.onOutput = async () => {
      const stream = new Readable({ read() {} });
      followed.push(stream);
      stream.push('said');
      return { ok: true, value: stream };
    };
    await using rest = await startRest({}, backend);
    const heard = await sendRaw(rest.port, follow + follow + follow, /said/);
    assert.match(heard, /^HTTP\/1\.1 200 /);
    await until(() => followed.every(({ destroyed }) => destroyed));
    assert.equal(followed.length, 1, 'whoever hangs up leaves none of them behind');
  });

  test('are answered in their order', async () => {
    await using rest = await startRest();
    const close = health.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
    const heard = await sendRaw(rest.port, health.repeat(7) + close);
    assert.equal(heard.match(/HTTP\/1\.1 200 /g)?.length, 8);
  });

  test('end the connection when there are many', { timeout: 60_000 }, async () => {
    const backend = new FakeBackend();
    const stream = new Readable({ read() {} });
    backend.onOutput = async () => ({ ok: true, value: stream });
    await using rest = await startRest({}, backend);
    await sendRaw(rest.port, follow.repeat(10));
    assert.equal((await rest.call('GET', '/healthz')).status, 200);
  });
});

/** Clients that hold what they were given: bodies that drip, answers that nobody takes, connections without end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { connect as connectByTls } from 'node:tls';
import { systemClock } from '../../../node/adapters.ts';
import type { Clock } from '../../../node/ports.ts';
import { Authority, noCertificates } from '../../support/certificates.ts';
import { FakeBackend } from './fake-backend.ts';
import { nobodyTrusted, other, sendRaw, startRest, until } from './harness.ts';

const QUICK = { bodyPatienceMs: 200, answerPatienceMs: 200, slowestBytesPerSecond: 500 };

/** Sends a byte every 20 ms (50 a second); resolves with what comes back until the end. */
function drip(socket: Socket, head: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    socket.write(head);
    const timer = setInterval(() => socket.write('x'), 20);
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      resolve(heard);
    });
  });
}

const JSON_HEAD =
  'POST /submit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{';
const FORM_HEAD = [
  'POST /controller/task/new HTTP/1.1',
  'Host: localhost',
  'Content-Type: multipart/form-data; boundary=b',
  'Content-Length: 900000',
  '',
  '--b',
  'Content-Disposition: form-data; name="file"; filename="a.py"',
  '',
  '',
].join('\r\n');

describe('a body that drips', () => {
  for (const [what, head] of [
    ['JSON', JSON_HEAD],
    ['an upload', FORM_HEAD],
    [
      'chunks',
      `${JSON_HEAD.slice(0, -1).replace('Content-Length: 900000', 'Transfer-Encoding: chunked')}fffff\r\n{`,
    ],
  ] as const) {
    test(`is ended early: ${what}`, async () => {
      // With Node's own limit alone it would hold its place for a quarter of an hour.
      await using rest = await startRest(QUICK);
      const answer = await drip(connect(rest.port, '127.0.0.1'), head);
      assert.match(answer, /^HTTP\/1\.1 408 /);
      assert.match(answer, /"code":"REQUEST_TIMEOUT"/);
      assert.equal((await rest.call('GET', '/healthz')).status, 200);
    });
  }

  test('is ended at the node that it came to, also on its way to the master', async () => {
    await using master = await startRest();
    const backend = new FakeBackend();
    backend.authorityNow = other(master);
    await using rest = await startRest(QUICK, backend);
    const answer = await drip(connect(rest.port, '127.0.0.1'), FORM_HEAD);
    assert.match(answer, /^HTTP\/1\.1 408 /);
  });

  test('is ended by https too', { skip: noCertificates }, async () => {
    using authority = new Authority();
    await using rest = await startRest({ ...QUICK, tls: authority.issue() });
    const socket = connectByTls({ port: rest.port, host: '127.0.0.1', ca: authority.ca });
    await once(socket, 'secureConnect');
    assert.match(await drip(socket, JSON_HEAD), /^HTTP\/1\.1 408 /);
  });

  test('is not ended where it is the node that does not read', async () => {
    const backend = new FakeBackend();
    let take = () => {};
    const gate = new Promise<void>((resolve) => {
      take = resolve;
    });
    const create = backend.createTask.bind(backend);
    backend.createTask = async (upload) => {
      await gate;
      return create(upload);
    };
    let looks = 0;
    const every: Clock['every'] = (periodMs, task) =>
      systemClock.every(periodMs, () => {
        looks += 1;
        task();
      });
    await using rest = await startRest(QUICK, backend, { clock: { ...systemClock, every } });
    const form = new FormData();
    form.set('file', new Blob([new Uint8Array(8 * 1024 * 1024)]), 'a.py');
    const asked = rest.form(form);
    // A client may be silent for four of them.
    await until(() => looks >= 12, 'looks at who is slow');
    take();
    assert.equal((await asked).status, 200);
  });
});

describe('an answer that nobody takes', () => {
  const endless = () =>
    Readable.from(
      (async function* () {
        for (;;) yield new Uint8Array(64 * 1024);
      })(),
    );

  test('is ended', async () => {
    const backend = new FakeBackend();
    const stream = endless();
    backend.onOutput = async () => ({ ok: true, value: stream });
    await using rest = await startRest(QUICK, backend);
    const socket = connect(rest.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET /runs/r1/output?stream=stdout&follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => stream.destroyed, 'the source of the output is let go');
    socket.destroy();
  });

  test('is not ended while there is nothing to take: a run may be silent for long', async () => {
    const backend = new FakeBackend();
    let say = (_text: string | null) => {};
    const stream = new Readable({ read() {} });
    say = (text) => void stream.push(text);
    backend.onOutput = async () => ({ ok: true, value: stream });
    await using rest = await startRest(QUICK, backend);
    const asked = rest.call('GET', '/runs/r1/output?stream=stdout&follow=true');
    say('first ');
    await new Promise((resolve) => setTimeout(resolve, 600));
    say('last');
    say(null);
    assert.equal((await asked).text, 'first last');
  });
});

describe('connections', () => {
  test('beyond the limit are answered, and the others served', async () => {
    await using rest = await startRest({ maxConnections: 3 }, new FakeBackend(), { trusts: nobodyTrusted });
    const held = [1, 2, 3].map(() => connect(rest.port, '127.0.0.1'));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const refused = await sendRaw(
      rest.port,
      'POST /submit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}',
    );
    assert.match(refused, /^HTTP\/1\.1 503 /);
    assert.match(refused, /retry-after: 5/);
    assert.match(refused, /"code":"UNAVAILABLE"/);
    assert.deepEqual(rest.backend.submissions, [], 'what comes on it is no request');
    held[0]?.destroy();
    for (;;) {
      const answer = await sendRaw(
        rest.port,
        'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      );
      if (/^HTTP\/1\.1 200 /.test(answer)) break;
    }
    for (const socket of held) socket.destroy();
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import { isLoopback, networkOf } from '../../../node/addresses.ts';
import { createRestServer } from '../../../node/rest/server.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { FakeBackend } from './fake-backend.ts';
import { nobodyTrusted, sendRaw, startRest, until } from './harness.ts';

const dependencies = () => ({
  backend: new FakeBackend(),
  logger: silentLogger,
  clock: systemClock,
  random: systemRandom,
  localUser: nobodyTrusted,
});

test('what counts as loopback', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost', 'LOCALHOST']) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.example.org', '', '127.0.0.1.example.org']) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('a caller is counted by its address, or by its network where it has all of one', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8:1::9', '2001:db8:1:0::/64'],
    ['2001:db8::7:8:9', '2001:db8:0:0::/64'],
    ['2001::7:8:9', '2001:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ] as const)
    assert.equal(networkOf(address), network, address);
});

test('a port in use is an error that says so', async () => {
  await using rest = await startRest();
  await using second = createRestServer({ port: rest.port }, dependencies());
  await assert.rejects(second.start(), { code: 'LISTEN_FAILED', message: /something else listens there/ });
});

test('without a token, other names (DNS rebinding) and other origins are 403', async () => {
  await using rest = await startRest();
  const { port } = rest;
  const good = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, '10.1.2.3'];
  for (const host of good) {
    assert.equal((await rest.call('GET', '/tasks', undefined, { host })).status, 200, host);
  }
  for (const host of [
    'evil.example.org',
    `evil.example.org:${port}`,
    'localhost.example.org',
    '127.0.0.1.example.org',
  ]) {
    const reply = await rest.call('GET', '/tasks', undefined, { host });
    assert.equal(reply.status, 403, host);
    assert.equal(reply.json.code, 'FORBIDDEN');
    assert.match(String(reply.json.message), /Host header/);
  }
  const host = `localhost:${port}`;
  assert.equal((await rest.call('GET', '/', undefined, { host, origin: `http://${host}` })).status, 200);
  const foreign = [
    'http://evil.example.org',
    'null',
    `http://localhost:${port + 1}`,
    `https://${host}`,
    'nonsense',
  ];
  for (const origin of foreign) {
    const body = '{"function_name":"f"}';
    const reply = await rest.call('POST', '/submit', body, { host, origin });
    assert.equal(reply.status, 403, origin);
    assert.match(String(reply.json.message), /web pages of other origins/);
  }
  assert.deepEqual(rest.backend.submissions, []);
});

test('behind a reverse proxy a token is needed, whoever the proxy runs as, and pages of other names stay out', async () => {
  await using rest = await startRest({ allowedHosts: ['fsched.example.org'] });
  const ask = async (headers: Record<string, string>) =>
    (await rest.call('GET', '/tasks', undefined, headers)).status;
  const token = rest.backend.addToken('given', 'read');
  // The proxy ends TLS, and may pass on the Host that it was asked for or write its own.
  for (const host of ['fsched.example.org', `127.0.0.1:${rest.port}`]) {
    const headers = { host, origin: 'https://fsched.example.org' };
    assert.equal(await ask(headers), 401, host);
    assert.equal(await ask({ ...headers, ...token }), 200, host);
  }
  assert.equal(await ask({ host: 'FSCHED.example.org:443' }), 401);
  for (const origin of [
    'https://evil.example',
    'https://fsched.example.org.evil.example',
    'null',
    'file://x',
  ])
    assert.equal(await ask({ host: 'fsched.example.org', origin }), 403, origin);
  assert.equal(await ask({ host: 'evil.example' }), 403);
  const said = await rest.call('GET', '/tasks', undefined, { host: 'evil.example' });
  assert.match(String(said.json.message), /--allowed-host NAME/);
});

test('what is not HTTP is answered 400 and the connection closed', async () => {
  await using rest = await startRest();
  const answer = await sendRaw(rest.port, 'what is this?\r\n\r\n');
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /"code":"BAD_REQUEST"/);
  const long = await sendRaw(
    rest.port,
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(64 * 1024)}\r\n\r\n`,
  );
  assert.match(long, /^HTTP\/1\.1 431 /);
  assert.equal((await rest.call('GET', '/healthz')).status, 200);
});

test('a client that is too slow with its headers is answered 408', async () => {
  await using rest = await startRest({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
  const answer = await sendRaw(rest.port, 'GET / HTTP/1.1\r\nHost: local');
  assert.match(answer, /^HTTP\/1\.1 408 /);
});

test('stop lets a request finish, refuses new connections, and can be called twice', async () => {
  const rest = await startRest({ stopTimeoutMs: 5_000 });
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const original = rest.backend.onRun;
  rest.backend.onRun = async (request, signal) => {
    await gate;
    return original(request, signal);
  };
  const pending = rest.call('POST', '/controller/task/run', { command: 'x', task_id: 't1', input_size: 1 });
  await until(() => rest.backend.runRequests.length === 1);
  const stopped = rest.server.stop();
  await assert.rejects(rest.call('GET', '/healthz'));
  finish();
  const reply = await pending;
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.connection, 'close');
  await Promise.all([stopped, rest.server.stop()]);
});

test('stop breaks off what does not finish in time', async () => {
  const rest = await startRest({ stopTimeoutMs: 20 });
  rest.backend.onRun = () => new Promise(() => {});
  const pending = rest.call('POST', '/controller/task/run', { command: 'x', task_id: 't1', input_size: 1 });
  const broken = assert.rejects(pending);
  await until(() => rest.backend.runRequests.length === 1);
  await rest.server.stop();
  await broken;
});

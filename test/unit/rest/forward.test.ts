import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { type Duplex, PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { succeed } from '../../../protocols/schema/outcome.ts';
import { aTask } from './fake-backend.ts';
import { other, sendRaw, startRest, until } from './harness.ts';

const RUN = '/controller/task/run';
const NEW = '/controller/task/new';
const body = { command: 'python3', task_id: 't1', input_size: 1 };
const MiB = 1024 * 1024;

test('a node that is not master answers as the master would, and says who did', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  for (const [method, path, input] of [
    ['GET', '/tasks', undefined],
    ['GET', '/tasks/nope', undefined],
    ['GET', '/runs?limit=0', undefined],
    ['DELETE', '/runs/r1', undefined],
    ['POST', RUN, body],
    ['POST', RUN, {}],
    ['POST', '/submit', { function_name: 'f' }],
    ['POST', '/cluster/worker/add', { host: 'x' }],
  ] as const) {
    const direct = await master.call(method, path, input);
    const forwarded = await follower.call(method, path, input);
    assert.equal(forwarded.status, direct.status, path);
    assert.equal(forwarded.text, direct.text, path);
    for (const name of ['content-type', 'location', 'fsched-mode']) {
      assert.equal(forwarded.headers[name], direct.headers[name], name);
    }
    assert.equal(forwarded.headers['fsched-served-by'], 'node-m');
    assert.equal(direct.headers['fsched-served-by'], undefined);
  }
  assert.deepEqual(follower.backend.runRequests, []);
  assert.match(
    (await follower.call('GET', '/metrics')).text,
    /forward_attempts_total\{outcome="answered"\} 8/,
  );
});

test('the streams to the master are closed after each answer', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  const authority = other(master);
  follower.backend.authorityNow = authority;
  await follower.call('GET', '/tasks');
  await follower.call('POST', RUN, body);
  await until(() => authority.streams.length === 2 && authority.streams.every((stream) => stream.destroyed));
});

/** A form with 50 MiB in chunks, as a client sends it that doesn't know the length. */
function sendLargeForm(port: number, total: number) {
  const boundary = 'xxBOUNDARYxx';
  const chunk = Buffer.alloc(64 * 1024, 'abcdefg');
  const hash = createHash('sha256');
  const state = { sent: 0, answered: '', sha256: '' };
  const call = request({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: NEW,
    agent: false,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  });
  const answer = new Promise<string>((resolve, reject) => {
    call.on('error', reject);
    call.on('response', async (response) => {
      let text = '';
      for await (const part of response) text += part;
      resolve(text);
    });
  });
  const source = async function* () {
    yield `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n`;
    for (; state.sent < total; state.sent += chunk.length) {
      hash.update(chunk);
      yield chunk;
    }
    state.sha256 = hash.digest('hex');
    yield `\r\n--${boundary}--\r\n`;
  };
  Readable.from(source()).pipe(call);
  return { state, answer };
}

/** Resolves when a counter has stopped growing: back-pressure holds. */
async function settles(count: () => number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    same = count() === last && last > 0 ? same + 1 : 0;
    last = count();
  }
  return last;
}

test('50 MiB up through a follower: streamed with back-pressure, never held', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  const total = 50 * MiB;
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const hash = createHash('sha256');
  let received = 0;
  master.backend.uploadAnswer = async ({ content, fields }) => {
    await opened;
    for await (const chunk of content) {
      received += (chunk as Buffer).length;
      hash.update(chunk as Buffer);
    }
    assert.deepEqual(fields(), { name: null, command: null, secrets: [] });
    return succeed(aTask('big'));
  };
  const { state, answer } = sendLargeForm(follower.port, total);
  const held = await settles(() => state.sent);
  // Socket buffers of the kernel (both ways) and of the streams, but not the file.
  assert.ok(held < 16 * MiB, `${held} bytes were taken though nobody read them`);
  open();
  assert.equal(await answer, '{"task_id":"big"}');
  assert.equal(received, total);
  assert.equal(hash.digest('hex'), state.sha256);
});

test('50 MiB down through a follower: streamed with back-pressure, never held', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  const total = 50 * MiB;
  const chunk = Buffer.alloc(64 * 1024, 'output ');
  let produced = 0;
  master.backend.onOutput = async () =>
    succeed(
      Readable.from(
        (async function* () {
          for (; produced < total; produced += chunk.length) yield chunk;
        })(),
        { objectMode: false },
      ),
    );
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port: follower.port, host: '127.0.0.1', path: '/runs/r1/output', agent: false })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
  const held = await settles(() => produced);
  assert.ok(held < 16 * MiB, `${held} bytes were produced though nobody read them`);
  let received = 0;
  for await (const part of response) received += (part as Buffer).length;
  assert.equal(received, total);
});

test('a follower of output sees the first byte through a member at once', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  const program = new PassThrough();
  master.backend.onOutput = async () => succeed(program);
  const response = await fetch(`${follower.url}/runs/r1/output?follow=true`);
  program.write('first');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'first');
  program.end();
  assert.equal((await reader.read()).done, true);
});

test('a client that hangs up is felt by the master', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  master.backend.onRun = () => new Promise(() => {});
  const controller = new AbortController();
  const pending = fetch(`${follower.url}${RUN}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: controller.signal,
  }).catch(() => null);
  await until(() => master.backend.runRequests.length === 1);
  controller.abort();
  await pending;
  await until(() => master.backend.aborted.includes('run'), 'the abort at the master');
});

test('a client that hangs up in the middle of an upload leaves nothing at the master', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  const socket = connect(follower.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `POST ${NEW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\n${'x'.repeat(5000)}`,
  );
  await until(() => (master.backend.uploads[0]?.bytes ?? 0) > 0);
  socket.destroy();
  await until(() => master.backend.uploads[0]?.failed === true);
});

test("the master's early refusal of a large upload reaches the client", async () => {
  await using master = await startRest({ maxUploadBytes: MiB });
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  const { answer } = sendLargeForm(follower.port, 50 * MiB);
  assert.match(await answer, /TOO_LARGE/);
  assert.equal((await follower.call('GET', '/tasks')).status, 200);
});

test('an answer that needs no body is not kept back until the body comes', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  const head = `POST ${NEW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n`;
  assert.match(await sendRaw(follower.port, head, /no file specified/), /^HTTP\/1\.1 400 /);
});

test('hop-by-hop headers stay on their hop', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  const authority = other(master);
  let sent = '';
  follower.backend.authorityNow = {
    ...authority,
    open: async () => {
      const stream = await authority.open();
      const write = stream.write.bind(stream);
      stream.write = ((chunk: Buffer | string, ...rest: never[]) => {
        sent += chunk.toString();
        return write(chunk, ...rest);
      }) as Duplex['write'];
      return stream;
    },
  };
  const heard = await sendRaw(
    follower.port,
    'GET /tasks HTTP/1.1\r\nHost: localhost\r\nConnection: x-private, close\r\nX-Private: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nX-Public: 2\r\n\r\n',
  );
  assert.match(heard, /^HTTP\/1\.1 200 OK/);
  assert.match(sent, /x-public: 2/i);
  assert.match(sent, /host: localhost/i);
  assert.doesNotMatch(sent, /x-private|te: trailers|keep-alive: 5/i);
});

test('headers named as what every object has are passed on, and leave no stream open', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  const authority = other(master);
  follower.backend.authorityNow = authority;
  for (const name of ['constructor', '__proto__', 'toString']) {
    const heard = await sendRaw(
      follower.port,
      `GET /tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${name}: x\r\n${name}: y\r\n\r\n`,
    );
    assert.match(heard, /^HTTP\/1\.1 200 OK/, name);
  }
  await until(() => authority.streams.length === 3 && authority.streams.every((stream) => stream.destroyed));
});

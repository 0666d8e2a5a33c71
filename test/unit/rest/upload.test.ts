import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { fail } from '../../../protocols/schema/outcome.ts';
import { type Rest, sendRaw, startRest, until } from './harness.ts';

const BOUNDARY = 'xxBOUNDARYxx';
const NEW = '/controller/task/new';
const MiB = 1024 * 1024;

/** A form as bytes, so that a test can send what FormData would mend. */
const part = (disposition: string, content: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
const filePart = (fileName: string, content = 'print(1)') =>
  part(`name="file"; filename="${fileName}"`, content);
const post = (rest: Rest, form: string) =>
  rest.call('POST', NEW, form, { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` });
const end = `--${BOUNDARY}--\r\n`;

test('an upload is streamed to the backend, with fields before and after the file', async () => {
  await using rest = await startRest();
  const content = Buffer.alloc(3 * MiB, 'abc');
  const form = new FormData();
  form.set('name', 'sorter');
  form.set('file', new Blob([content]), 'quick sort.py');
  form.set('command', 'python3 -u');
  form.set('comment', 'ignored');
  const reply = await rest.form(form);
  assert.equal(reply.status, 200);
  assert.equal(reply.text, '{"task_id":"task123"}');
  assert.deepEqual(rest.backend.uploads, [
    {
      fileName: 'quick sort.py',
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      name: 'sorter',
      command: 'python3 -u',
      secrets: [],
      failed: false,
    },
  ]);
});

test('a form without extras has neither name nor command', async () => {
  await using rest = await startRest();
  assert.equal((await post(rest, filePart('a.py') + end)).status, 200);
  assert.deepEqual([rest.backend.uploads[0]?.name, rest.backend.uploads[0]?.command], [null, null]);
});

test('no file, or no form, is 400 and says what to send', async () => {
  await using rest = await startRest();
  const forms = [end, part('name="name"', 'x') + end, part('name="file"', 'no file name') + end];
  for (const form of forms) {
    const reply = await post(rest, form);
    assert.equal(reply.status, 400, form);
    assert.match(String(reply.json.message), /no file specified.*curl -F file=@/);
  }
  const other = await post(rest, part('name="program"; filename="a.py"', 'x') + end);
  assert.match(String(other.json.message), /in the field "file"/);
  for (const headers of [{ 'content-type': 'application/json' }, { 'content-type': 'text/x-python' }, {}]) {
    const reply = await rest.call('POST', NEW, '{"file": "x"}', headers);
    assert.equal(reply.status, 400, JSON.stringify(headers));
    assert.match(String(reply.json.message), /no file specified/);
  }
  assert.equal((await rest.call('POST', NEW)).status, 400);
  assert.deepEqual(rest.backend.uploads, []);
});

const badNames: readonly [string, RegExp][] = [
  ['../x', /without a path/],
  ['/etc/passwd', /without a path/],
  ['a/b.py', /without a path/],
  ['a\\\\b.py', /without a path/],
  ['.', /without a path/],
  ['..', /without a path/],
  ['', /has no name/],
  ['a\u0000b', /control characters|malformed/],
  ['a\u0007b.py', /control characters/],
  ['a\tb.py', /control characters/],
  ['x'.repeat(256), /longer than 255 bytes/],
  ['ä'.repeat(128), /longer than 255 bytes/],
];
test('a file name that is a path, has control characters, is empty or too long is 400', async () => {
  await using rest = await startRest();
  for (const [name, message] of badNames) {
    const reply = await post(rest, filePart(name) + end);
    assert.equal(reply.status, 400, `${JSON.stringify(name)}: ${reply.text}`);
    assert.match(String(reply.json.message), message, JSON.stringify(name));
  }
  assert.deepEqual(rest.backend.uploads, []);
  assert.equal((await post(rest, filePart(`${'x'.repeat(252)}.py`) + end)).status, 200);
});

test('more than one file is 400, and the backend is left with nothing', async () => {
  await using rest = await startRest();
  const reply = await post(rest, filePart('a.py') + filePart('b.py') + end);
  assert.equal(reply.status, 400);
  assert.match(String(reply.json.message), /one file at a time/);
  await until(() => rest.backend.uploads[0]?.failed === true, 'the upload to fail');
});

test('bad fields and broken forms are 400, and the backend is left with nothing', async () => {
  await using rest = await startRest();
  const file = filePart('a.py');
  const broken = [
    file + part('name="name"', ''),
    file + part('name="name"', 'x'.repeat(256)),
    file + part('name="command"', 'a\nb'),
    file + part('name="command"', 'x'.repeat(5000)),
    file + part('name="command"', 'x'.repeat(9000)),
    file + Array.from({ length: 30 }, (_, at) => part(`name="f${at}"`, 'x')).join(''),
    file.slice(0, -4),
  ];
  for (const [at, form] of broken.entries()) {
    const reply = await post(rest, at === broken.length - 1 ? form : form + end);
    assert.equal(reply.status, 400, `${at}: ${reply.text}`);
    assert.equal(reply.json.code, 'BAD_REQUEST');
  }
  const noBoundary = await rest.call('POST', NEW, file + end, { 'content-type': 'multipart/form-data' });
  assert.equal(noBoundary.status, 400);
  await until(() => rest.backend.uploads.every((upload) => upload.failed), 'the uploads to fail');
  assert.equal((await post(rest, file + end)).status, 200);
});

test('too large by Content-Length is 413 before anything is read', async () => {
  await using rest = await startRest({ maxUploadBytes: MiB });
  const head = `POST ${NEW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${1024 * MiB}\r\n`;
  const early = await sendRaw(rest.port, `${head}\r\n${filePart('a.py')}`, /TOO_LARGE/);
  assert.match(early, /^HTTP\/1\.1 413 /);
  // A client that asks first is not told to continue.
  const asked = await sendRaw(rest.port, `${head}Expect: 100-continue\r\n\r\n`, /TOO_LARGE/);
  assert.match(asked, /^HTTP\/1\.1 413 /);
  assert.match(asked, /connection: close/i);
  assert.deepEqual(rest.backend.uploads, []);
  assert.equal((await rest.call('GET', '/healthz')).status, 200);
});

test('a client that asks first and fits is told to continue', async () => {
  await using rest = await startRest();
  const form = filePart('a.py') + end;
  const heard = await sendRaw(
    rest.port,
    `POST ${NEW} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${form.length}\r\n\r\n${form}`,
    /task_id/,
  );
  assert.match(heard, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
});

test('too large without Content-Length is 413 as soon as the limit is passed, and the client can read it', async () => {
  await using rest = await startRest({ maxUploadBytes: MiB });
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const socket = connect(rest.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (data) => {
    heard += data.toString('latin1');
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.on('error', () => {});
  const send = (data: Buffer) =>
    new Promise<void>((resolve) => {
      const framed = Buffer.concat([
        Buffer.from(`${data.length.toString(16)}\r\n`),
        data,
        Buffer.from('\r\n'),
      ]);
      socket.write(framed, () => resolve());
    });
  socket.write(
    `POST ${NEW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n`,
  );
  await send(Buffer.from(filePart('a.py', '').slice(0, -2)));
  // Twice the limit and never an end: the client goes on sending while it is being refused.
  for (let sent = 0; sent < 32; sent += 1) await send(chunk);
  await until(() => heard.includes('TOO_LARGE'), 'the refusal');
  assert.match(heard, /^HTTP\/1\.1 413 /);
  await until(() => rest.backend.uploads[0]?.failed === true, 'the upload to fail');
  // What is still coming is not read for ever.
  await closed;
  assert.equal((await rest.call('GET', '/healthz')).status, 200);
});

test('a file of exactly the limit is taken, one byte more is not', async () => {
  await using rest = await startRest({ maxUploadBytes: 1000 });
  assert.equal((await post(rest, filePart('a.py', 'x'.repeat(1000)) + end)).status, 200);
  const over = await post(rest, filePart('a.py', 'x'.repeat(1001)) + end);
  assert.deepEqual([over.status, over.json.code], [413, 'TOO_LARGE']);
  await until(() => rest.backend.uploads[1]?.failed === true, 'the upload to fail');
});

test('a client that hangs up in the middle leaves nothing', async () => {
  await using rest = await startRest();
  const socket = connect(rest.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `POST ${NEW} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: 1000000\r\n\r\n${filePart('a.py', 'x'.repeat(5000))}`,
  );
  await until(() => (rest.backend.uploads[0]?.bytes ?? 0) > 0, 'the first bytes');
  socket.destroy();
  await until(() => rest.backend.uploads[0]?.failed === true, 'the upload to fail');
  assert.equal((await rest.call('GET', '/healthz')).status, 200);
});

test('a refusal of the backend in the middle of a file is answered', async () => {
  await using rest = await startRest();
  rest.backend.uploadAnswer = async () => fail({ code: 'UNAVAILABLE', message: 'The disk is full.' });
  const form = new FormData();
  form.set('file', new Blob([Buffer.alloc(5 * MiB)]), 'a.bin');
  const reply = await rest.form(form);
  assert.equal(reply.status, 503);
  assert.deepEqual(reply.json, { message: 'The disk is full.', code: 'UNAVAILABLE' });
});

test('the fields of an upload may not be asked for before its content has ended', async () => {
  await using rest = await startRest();
  let early: unknown = null;
  rest.backend.uploadAnswer = async (upload) => {
    try {
      upload.fields();
    } catch (error) {
      early = error;
    }
    return fail({ code: 'BAD_REQUEST', message: 'no' });
  };
  await post(rest, filePart('a.py') + end);
  assert.match(String(early), /only once its content has ended/);
});

test('a backend that gives up half-way, as with a full disk, is what the client hears of', async () => {
  await using rest = await startRest();
  const turns = async () => {
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  rest.backend.uploadAnswer = async ({ content }) => {
    for await (const _chunk of content) {
      // Long enough for the copying to wait for its reader …
      await turns();
      break;
    }
    // … and to notice that it has gone before the backend has tidied up and answers.
    await turns();
    return fail({ code: 'UNAVAILABLE', message: 'the disk of this node is full', retryAfterSeconds: 5 });
  };
  const form = new FormData();
  form.set('file', new Blob([Buffer.alloc(4 * MiB)]), 'large.bin');
  const reply = await rest.form(form);
  assert.equal(reply.status, 503);
  assert.match(reply.text, /disk of this node is full/);
});

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { nobody, other, startRest, until } from './harness.ts';

const RUN = '/controller/task/run';
const body = { command: 'python3', task_id: 't1', input_size: 1 };
const MiB = 1024 * 1024;

test('the master is lost before it answers: the next one is asked with the same key, the client sees one answer', async () => {
  await using first = await startRest();
  await using second = await startRest();
  await using follower = await startRest();
  const old = other(first, 'old');
  follower.backend.authorityNow = old;
  first.backend.onRun = () => new Promise(() => {});
  const pending = follower.call('POST', RUN, body);
  await until(() => first.backend.runRequests.length === 1);
  follower.backend.authorityNow = nobody;
  old.streams[0]?.destroy();
  const asked = follower.backend.authorityAsked;
  await until(() => follower.backend.authorityAsked > asked + 2, 'a look for the next master');
  follower.backend.authorityNow = other(second, 'new');
  const reply = await pending;
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['fsched-served-by'], 'new');
  const keys = [first, second].map((node) => node.backend.runRequests.map((run) => run.idempotencyKey));
  assert.equal(keys[0]?.length, 1);
  assert.match(String(keys[0]?.[0]), /^[0-9a-f]{32}$/);
  assert.deepEqual(keys[1], keys[0]);
});

test('a key that the client chose is kept', async () => {
  await using master = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(master);
  await follower.call('POST', RUN, body, { 'idempotency-key': 'mine' });
  assert.equal(master.backend.runRequests[0]?.idempotencyKey, 'mine');
});

test('the master falls silent: when another is elected, that one is asked', async () => {
  await using silent = await startRest();
  await using next = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(silent, 'silent');
  silent.backend.onRun = () => new Promise(() => {});
  const pending = follower.call('POST', RUN, body);
  await until(() => silent.backend.runRequests.length === 1);
  follower.backend.authorityNow = other(next, 'next');
  assert.equal((await pending).headers['fsched-served-by'], 'next');
});

test('the master does not even open a stream: the next one is asked, whatever the request', async () => {
  await using next = await startRest();
  await using follower = await startRest();
  let opened = 0;
  follower.backend.authorityNow = {
    kind: 'other',
    master: 'gone',
    open: async () => {
      opened += 1;
      throw new Error('unreachable');
    },
  };
  const form = new FormData();
  form.set('file', new Blob(['print(1)']), 'a.py');
  const pending = follower.form(form);
  await until(() => opened > 1, 'a second try');
  follower.backend.authorityNow = other(next);
  assert.equal((await pending).status, 200);
  assert.equal(next.backend.uploads[0]?.bytes, 8);
});

test('this node itself becomes master: the kept request is served here, with its key', async () => {
  await using first = await startRest();
  await using follower = await startRest();
  const old = other(first);
  follower.backend.authorityNow = old;
  first.backend.onRun = () => new Promise(() => {});
  const pending = follower.call('POST', RUN, body);
  await until(() => first.backend.runRequests.length === 1);
  follower.backend.authorityNow = { kind: 'self' };
  old.streams[0]?.destroy();
  const reply = await pending;
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['fsched-served-by'], undefined);
  assert.deepEqual(follower.backend.runRequests, first.backend.runRequests);
});

test('a master that was deposed meanwhile: the request goes to its successor', async () => {
  await using deposed = await startRest();
  await using next = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(deposed, 'deposed');
  deposed.backend.authorityNow = nobody;
  const pending = follower.call('POST', RUN, body);
  await until(() => deposed.backend.authorityAsked > 0);
  follower.backend.authorityNow = other(next, 'next');
  const reply = await pending;
  assert.deepEqual([reply.status, reply.headers['fsched-served-by']], [200, 'next']);
  // Also when it is deposed while the run goes on.
  follower.backend.authorityNow = other(deposed, 'deposed');
  deposed.backend.authorityNow = { kind: 'self' };
  deposed.backend.onRun = async () => {
    follower.backend.authorityNow = other(next, 'next');
    return fail({ code: 'NO_MASTER', message: 'not master any more' });
  };
  const again = await follower.call('POST', RUN, body);
  assert.deepEqual([again.status, again.headers['fsched-served-by']], [200, 'next']);
  assert.equal(again.headers['fsched-not-master'], undefined);
});

test('no next master in time: 503 with Retry-After', async () => {
  await using first = await startRest();
  await using follower = await startRest({ masterWaitMs: 40 });
  const old = other(first);
  follower.backend.authorityNow = old;
  first.backend.onRun = () => new Promise(() => {});
  const pending = follower.call('POST', RUN, body);
  await until(() => first.backend.runRequests.length === 1);
  follower.backend.authorityNow = nobody;
  old.streams[0]?.destroy();
  const reply = await pending;
  assert.deepEqual([reply.status, reply.json.code, reply.headers['retry-after']], [503, 'NO_MASTER', '1']);
});

test('a request that may not be repeated is answered 503 when the master is lost', async () => {
  await using first = await startRest();
  await using follower = await startRest();
  const old = other(first);
  follower.backend.authorityNow = old;
  first.backend.uploadAnswer = () => new Promise(() => {});
  const form = new FormData();
  form.set('file', new Blob([Buffer.alloc(5 * MiB)]), 'a.bin');
  const pending = follower.form(form);
  await until(() => first.backend.uploads.length === 1);
  old.streams[0]?.destroy();
  const reply = await pending;
  assert.deepEqual([reply.status, reply.json.code, reply.headers['retry-after']], [503, 'NO_MASTER', '1']);
  assert.equal(first.backend.uploads.length, 1);
});

test('the master is lost in the middle of its answer: the connection breaks, the answer does not end as if whole', async () => {
  await using first = await startRest();
  await using follower = await startRest();
  const old = other(first);
  follower.backend.authorityNow = old;
  const program = new PassThrough();
  first.backend.onOutput = async () => succeed(program);
  const response = await fetch(`${follower.url}/runs/r1/output?follow=true`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  program.write('half');
  await reader.read();
  old.streams[0]?.destroy();
  await assert.rejects(reader.read());
});

test('two nodes that believe in each other do not send a request in circles', async () => {
  await using one = await startRest({ masterWaitMs: 40 });
  await using two = await startRest({ masterWaitMs: 40 });
  one.backend.authorityNow = other(two, 'two');
  const back = other(one, 'one');
  two.backend.authorityNow = back;
  const reply = await one.call('GET', '/tasks');
  assert.deepEqual([reply.status, reply.json.code], [503, 'NO_MASTER']);
  const form = new FormData();
  form.set('file', new Blob(['x']), 'a.py');
  assert.equal((await one.form(form)).status, 503);
  assert.equal(back.streams.length, 0);
});

test('the wait for the next master begins when the master is lost, however long it was at work', async () => {
  await using first = await startRest();
  await using second = await startRest();
  const masterWaitMs = 60_000;
  let skippedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
  await using follower = await startRest({ masterWaitMs }, undefined, { clock });
  const old = other(first, 'old');
  follower.backend.authorityNow = old;
  first.backend.onRun = () => new Promise(() => {});
  const pending = follower.call('POST', RUN, body);
  await until(() => first.backend.runRequests.length === 1);
  skippedMs += 2 * masterWaitMs;
  follower.backend.authorityNow = nobody;
  old.streams[0]?.destroy();
  const asked = follower.backend.authorityAsked;
  await until(() => follower.backend.authorityAsked > asked, 'a look for the next master');
  follower.backend.authorityNow = other(second, 'new');
  assert.equal((await pending).headers['fsched-served-by'], 'new');
});

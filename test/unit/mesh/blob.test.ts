import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '../../../node/adapters.ts';
import type { Clock } from '../../../node/ports.ts';
import { IDLE_LIMIT_MS } from '../../../protocols/blob/index.ts';
import { Fleet } from './fleet.ts';

const MEBIBYTE = 1024 * 1024;

test('a blob of 64 MiB is pushed and fetched, and is the same at its end', async () => {
  await using fleet = await Fleet.of(3);
  await fleet.form();
  const [a, b, c] = [fleet.at(0), fleet.at(1), fleet.at(2)];
  const sha256 = a.shelf.add(randomBytes(64 * MEBIBYTE));
  assert.deepEqual(await a.mesh.pushBlob(b.mesh.id, sha256), { ok: true, value: undefined });
  assert.deepEqual(await c.mesh.fetchBlob(b.mesh.id, sha256, 64 * MEBIBYTE), { ok: true, value: undefined });
  const bytes = c.shelf.blobs.get(sha256) ?? new Uint8Array();
  assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
});

test('a receiver slower than its sender holds it back and gets everything', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const sha256 = a.shelf.add(randomBytes(24 * MEBIBYTE));
  const put = b.shelf.put.bind(b.shelf);
  b.shelf.put = (name, size, content) => put(name, size, slowly(content));
  assert.deepEqual(await a.mesh.pushBlob(b.mesh.id, sha256), { ok: true, value: undefined });
  assert.equal(b.shelf.blobs.get(sha256)?.length, 24 * MEBIBYTE);
});

/** Gives the sender some turns of the event loop between two chunks, as a disk does. */
async function* slowly(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
    yield chunk;
  }
}

test('empty and tiny blobs work; one that is there already is not sent again', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  for (const bytes of [new Uint8Array(), new Uint8Array([1])]) {
    const sha256 = a.shelf.add(bytes);
    assert.equal((await a.mesh.pushBlob(b.mesh.id, sha256)).ok, true);
    assert.deepEqual(Buffer.from(b.shelf.blobs.get(sha256) ?? 'none'), Buffer.from(bytes));
    b.shelf.put = () => assert.fail('it was sent again');
    assert.equal((await a.mesh.pushBlob(b.mesh.id, sha256)).ok, true);
    delete (b.shelf as { put?: unknown }).put;
  }
});

test('bytes that hash to something else are refused, both ways, and leave no trace', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const claimed = createHash('sha256').update('what it claims to be').digest('hex');
  a.shelf.blobs.set(claimed, randomBytes(3 * MEBIBYTE));
  for (const outcome of [
    await a.mesh.pushBlob(b.mesh.id, claimed),
    await b.mesh.fetchBlob(a.mesh.id, claimed, 64 * MEBIBYTE),
  ]) {
    assert.equal(outcome.ok ? '' : outcome.error.code, 'PROTOCOL');
  }
  assert.equal(b.shelf.blobs.size, 0);
});

test('content that is shorter or longer than its size is refused', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const bytes = randomBytes(100_000);
  const sha256 = a.shelf.add(bytes);
  for (const size of [99_999, 100_001]) {
    a.shelf.open = async () => ({ size, content: Readable.from([bytes]) });
    assert.equal((await a.mesh.pushBlob(b.mesh.id, sha256)).ok, false, `push of ${size}`);
    assert.equal((await b.mesh.fetchBlob(a.mesh.id, sha256, 64 * MEBIBYTE)).ok, false, `fetch of ${size}`);
  }
  assert.equal(b.shelf.blobs.size, 0);
});

test('what nobody holds, a name that is no SHA-256 and a full disk are outcomes', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const absent = 'a'.repeat(64);
  for (const [outcome, code] of [
    [await a.mesh.pushBlob(b.mesh.id, absent), 'REFUSED'],
    [await a.mesh.fetchBlob(b.mesh.id, absent, 64 * MEBIBYTE), 'REFUSED'],
    [await a.mesh.fetchBlob(a.mesh.id, absent, 64 * MEBIBYTE), 'REFUSED'],
    [await a.mesh.fetchBlob(b.mesh.id, '../../etc/passwd', 64 * MEBIBYTE), 'PROTOCOL'],
  ] as const) {
    assert.equal(outcome.ok ? '' : outcome.error.code, code);
  }
  b.shelf.put = async () => ({ ok: false, error: { code: 'DISK', message: 'no space left' } }) as never;
  const sha256 = a.shelf.add(randomBytes(5 * MEBIBYTE));
  const full = await a.mesh.pushBlob(b.mesh.id, sha256);
  assert.equal(full.ok ? '' : full.error.code, 'REFUSED');
  assert.equal((await a.mesh.pushBlob(a.mesh.id, sha256)).ok, true, 'to oneself: it is here');
});

test('a receiver that is slow to take the bytes holds up the sender', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const size = 64 * MEBIBYTE;
  let produced = 0;
  a.shelf.open = async () => ({
    size,
    content: Readable.from(
      (function* () {
        for (; produced < size; produced += 64 * 1024) yield new Uint8Array(64 * 1024);
      })(),
    ),
  });
  const taking = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  b.shelf.put = async (_sha256, _size, content) => {
    let first = true;
    for await (const _ of content) {
      if (!first) continue;
      first = false;
      taking.resolve();
      await goOn.promise;
    }
    return { ok: true, value: undefined };
  };
  const pushed = a.mesh.pushBlob(b.mesh.id, 'b'.repeat(64));
  await taking.promise;
  // A call there and back, ten times: the sender had every chance to run ahead.
  for (let round = 0; round < 10; round += 1) await a.mesh.call(b.mesh.id, { type: 'held' });
  assert.ok(produced < 8 * MEBIBYTE, `${produced} bytes were sent to nobody`);
  goOn.resolve();
  assert.equal((await pushed).ok, true);
});

test('what the receiver does not want is refused before a byte of it is sent', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const asked: unknown[] = [];
  b.recorder.pushGate = {
    refuse: async (...announced) => {
      asked.push(announced);
      return { code: 'REFUSED', message: 'only the master brings files' };
    },
    settle: () => asked.push('settled'),
  };
  const sha256 = a.shelf.add(randomBytes(MEBIBYTE));
  const pushed = await a.mesh.pushBlob(b.mesh.id, sha256);
  // A stream that is reset is a refusal, too, and has other words.
  assert.match(pushed.ok ? '' : pushed.error.message, /only the master brings files/);
  assert.deepEqual(asked, [[a.mesh.id, sha256, MEBIBYTE]]);
  assert.equal(b.shelf.blobs.has(sha256), false);
});

test('the gate is told how each push ended', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const settled: [string, boolean][] = [];
  b.recorder.pushGate = { refuse: async () => null, settle: (...end) => settled.push(end) };
  const sha256 = a.shelf.add(randomBytes(100));
  const false256 = 'f'.repeat(64);
  a.shelf.blobs.set(false256, randomBytes(100));
  for (const each of [sha256, sha256, false256]) await a.mesh.pushBlob(b.mesh.id, each);
  assert.deepEqual(settled, [
    [sha256, true],
    [sha256, true],
    [false256, false],
  ]);
});

test('who fetches takes no more than it asked for, whatever is offered', async () => {
  await using fleet = await Fleet.of(2);
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const sha256 = a.shelf.add(randomBytes(101));
  b.shelf.put = () => assert.fail('it was stored');
  const fetched = await b.mesh.fetchBlob(a.mesh.id, sha256, 100);
  assert.equal(fetched.ok ? '' : fetched.error.code, 'PROTOCOL');
});

test('a transfer that only trickles is given up', async () => {
  const { clock, skip } = expiring();
  await using fleet = await Fleet.of(2, { clock });
  await fleet.form();
  const [a, b] = [fleet.at(0), fleet.at(1)];
  const size = 64 * MEBIBYTE;
  const trickle = Promise.withResolvers<void>();
  a.shelf.open = async () => ({
    size,
    content: Readable.from(
      (async function* () {
        for (let sent = 0; sent < size; sent += 1024) {
          if (sent === 100 * 1024) trickle.resolve();
          if (sent >= 100 * 1024) await new Promise((resolve) => setTimeout(resolve, 1));
          yield new Uint8Array(1024);
        }
      })(),
    ),
  });
  const fetched = b.mesh.fetchBlob(a.mesh.id, 'b'.repeat(64), size);
  await trickle.promise;
  skip();
  assert.equal((await fetched).ok, false);
});

/** A clock on which the limits of transfers that were set so far can be made to expire at once. */
function expiring(): { readonly clock: Clock; readonly skip: () => void } {
  const limits = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    after(delayMs, task) {
      if (delayMs !== IDLE_LIMIT_MS) return systemClock.after(delayMs, task);
      limits.add(task);
      return () => limits.delete(task);
    },
  };
  const skip = () => {
    for (const task of [...limits]) {
      limits.delete(task);
      task();
    }
  };
  return { clock, skip };
}

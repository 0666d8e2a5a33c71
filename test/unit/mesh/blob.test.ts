import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Fleet } from './fleet.ts';

const MEBIBYTE = 1024 * 1024;

test('a blob of 64 MiB is pushed and fetched, and is the same at its end', async () => {
  await using fleet = await Fleet.of(3);
  await fleet.form();
  const [a, b, c] = [fleet.at(0), fleet.at(1), fleet.at(2)];
  const sha256 = a.shelf.add(randomBytes(64 * MEBIBYTE));
  assert.deepEqual(await a.mesh.pushBlob(b.mesh.id, sha256), { ok: true, value: undefined });
  assert.deepEqual(await c.mesh.fetchBlob(b.mesh.id, sha256), { ok: true, value: undefined });
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
    await b.mesh.fetchBlob(a.mesh.id, claimed),
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
    assert.equal((await b.mesh.fetchBlob(a.mesh.id, sha256)).ok, false, `fetch of ${size}`);
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
    [await a.mesh.fetchBlob(b.mesh.id, absent), 'REFUSED'],
    [await a.mesh.fetchBlob(a.mesh.id, absent), 'REFUSED'],
    [await a.mesh.fetchBlob(b.mesh.id, '../../etc/passwd'), 'PROTOCOL'],
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

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { systemClock, systemRandom } from '../../../node/adapters.ts';
import { BlobStore } from '../../../node/store/blob-store.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

async function* chunks(...parts: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function* broken(before: Uint8Array): AsyncGenerator<Uint8Array> {
  yield before;
  throw new Error('connection reset');
}

class Shelf implements AsyncDisposable {
  readonly directory: string;
  readonly store: BlobStore;

  shortage: string | null = null;

  private constructor(directory: string) {
    this.directory = directory;
    const shortage = () => this.shortage;
    this.store = new BlobStore(
      { directory },
      { clock: systemClock, random: systemRandom, logger: silentLogger, shortage },
    );
  }

  static async create(): Promise<Shelf> {
    const shelf = new Shelf(await mkdtemp(join(tmpdir(), 'fsched-blobs-')));
    await shelf.store.start();
    return shelf;
  }

  files(): Promise<string[]> {
    return readdir(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

describe('BlobStore', () => {
  test('takes nothing large below the reserve of its disk, also when that is reached half-way', async () => {
    await using shelf = await Shelf.create();
    const refused = { ok: false, error: { code: 'DISK', message: 'the disk is full' } };
    shelf.shortage = 'the disk is full';
    assert.deepEqual(await shelf.store.ingest(chunks(), 100), refused);
    const large = Buffer.alloc(4 * 1024 ** 2);
    assert.deepEqual(await shelf.store.put(sha256(large), large.length, chunks(large)), refused);
    shelf.shortage = null;
    const growing = async function* () {
      yield large;
      shelf.shortage = 'the disk is full';
      yield large;
    };
    assert.deepEqual(await shelf.store.ingest(growing(), 100_000_000), refused);
    assert.deepEqual(await shelf.files(), []);
    // What runs have put out must go somewhere.
    const output = Buffer.from('output');
    assert.ok((await shelf.store.ingest(chunks(output), 100, { mayUseReserve: true })).ok);
    assert.ok((await shelf.store.put(sha256(output), output.length, chunks(output))).ok);
  });

  for (const size of [0, 1, 64 * 1024, 64 * 1024 + 1, 3 * 1024 * 1024 + 17]) {
    test(`ingests ${size} bytes under their hash, read-only`, async () => {
      await using shelf = await Shelf.create();
      const content = Buffer.alloc(size, 'fsched');
      const outcome = await shelf.store.ingest(Readable.from(chunks(content)), size);
      assert.deepEqual(outcome, { ok: true, value: { sha256: sha256(content), size } });
      assert.deepEqual(await shelf.files(), [sha256(content)]);
      const opened = await shelf.store.open(sha256(content));
      assert.equal(opened?.size, size);
      assert.deepEqual(await buffer(opened?.content ?? Readable.from([])), content);
      const { mode } = await stat(shelf.store.path(sha256(content)) ?? '');
      assert.equal(mode & 0o777, 0o400);
    });
  }

  test('gathers a great many tiny chunks', async () => {
    await using shelf = await Shelf.create();
    const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
    async function* drops() {
      for (const byte of content) yield Uint8Array.of(byte);
    }
    assert.deepEqual(await shelf.store.ingest(drops(), 1_000_000), {
      ok: true,
      value: { sha256: sha256(content), size: content.length },
    });
    assert.deepEqual(await readFile(join(shelf.directory, sha256(content))), content);
  });

  test('stops reading beyond the limit and leaves nothing behind', async () => {
    await using shelf = await Shelf.create();
    let produced = 0;
    async function* endless() {
      for (;;) {
        produced += 1000;
        yield Buffer.alloc(1000);
      }
    }
    const source = Readable.from(endless(), { objectMode: false });
    const outcome = await shelf.store.ingest(source, 100_000);
    assert.equal(!outcome.ok && outcome.error.code, 'TOO_LARGE');
    assert.deepEqual(await shelf.files(), []);
    assert.ok(source.destroyed);
    assert.ok(produced < 1_000_000);
  });

  test('leaves nothing behind when the sender stops half-way', async () => {
    await using shelf = await Shelf.create();
    const outcome = await shelf.store.ingest(broken(Buffer.alloc(300_000)), 1_000_000);
    assert.equal(!outcome.ok && outcome.error.code, 'INTERRUPTED');
    assert.match(outcome.ok ? '' : outcome.error.message, /connection reset/);
    const put = await shelf.store.put(sha256('x'), 300_001, broken(Buffer.alloc(300_000)));
    assert.equal(!put.ok && put.error.code, 'MISMATCH');
    assert.deepEqual(await shelf.files(), []);
  });

  test('puts only bytes that have the announced hash and size', async () => {
    await using shelf = await Shelf.create();
    const name = sha256('hello');
    assert.deepEqual(await shelf.store.put(name, 5, chunks('hel', 'lo')), { ok: true, value: undefined });
    for (const [size, text] of [
      [5, 'hallo'],
      [4, 'hello'],
      [6, 'hello'],
    ] as const) {
      await shelf.store.remove(name);
      const outcome = await shelf.store.put(name, size, chunks(text));
      assert.equal(!outcome.ok && outcome.error.code, 'MISMATCH', text);
      assert.equal(await shelf.store.has(name), false);
      assert.deepEqual(await shelf.files(), []);
    }
  });

  test('takes the same content many times at once', async () => {
    await using shelf = await Shelf.create();
    const content = Buffer.alloc(200_000, 7);
    const name = sha256(content);
    const puts = Array.from({ length: 8 }, () => shelf.store.put(name, content.length, chunks(content)));
    for (const outcome of await Promise.all(puts)) assert.ok(outcome.ok);
    assert.deepEqual(await shelf.files(), [name]);
    assert.equal(await shelf.store.verify(name), true);
  });

  test('treats names that are no hashes as absent, whatever file they would lead to', async () => {
    await using shelf = await Shelf.create();
    for (const name of [
      '',
      '..',
      '../../etc/passwd',
      'A'.repeat(64),
      'a'.repeat(63),
      `${'a'.repeat(64)}\n`,
    ]) {
      assert.equal(shelf.store.path(name), null);
      assert.equal(await shelf.store.has(name), false);
      assert.equal(await shelf.store.open(name), null);
      assert.equal(await shelf.store.verify(name), false);
      assert.equal(await shelf.store.remove(name), false);
      assert.equal((await shelf.store.put(name, 1, chunks('x'))).ok, false);
    }
    assert.deepEqual(await shelf.files(), []);
  });

  test('removes a damaged blob on verification, and takes a whole one again', async () => {
    await using shelf = await Shelf.create();
    const content = Buffer.alloc(100_000, 1);
    const name = sha256(content);
    assert.ok((await shelf.store.put(name, content.length, chunks(content))).ok);
    assert.equal(await shelf.store.verify(name), true);
    const damage = async () => {
      await chmod(join(shelf.directory, name), 0o600);
      await writeFile(join(shelf.directory, name), Buffer.alloc(100_000, 2));
    };
    await damage();
    assert.equal(await shelf.store.verify(name), false);
    assert.equal(await shelf.store.has(name), false);
    assert.ok((await shelf.store.put(name, content.length, chunks(content))).ok);
    await damage();
    assert.ok((await shelf.store.put(name, content.length, chunks(content))).ok, 'put mends it, too');
    assert.equal(await shelf.store.verify(name), true);
  });

  test('removes at start what a crash left half-written, and nothing else', async () => {
    await using shelf = await Shelf.create();
    assert.ok((await shelf.store.ingest(chunks('kept'), 10)).ok);
    await writeFile(join(shelf.directory, 'incoming-0123'), 'half');
    await shelf.store.start();
    assert.deepEqual(await shelf.files(), [sha256('kept')]);
  });

  test('reports a directory that cannot be written as a failure of the disk', async () => {
    await using shelf = await Shelf.create();
    await rm(shelf.directory, { recursive: true });
    const outcome = await shelf.store.ingest(chunks('x'), 10);
    assert.equal(!outcome.ok && outcome.error.code, 'DISK');
  });
});

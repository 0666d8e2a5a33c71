import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { KeyRing } from '../../../node/secrets/key-ring.ts';
import { keyIdOf } from '../../../node/secrets/sealing.ts';

const key = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const id = (n: number): string => keyIdOf(key(n));

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fsched-keys-'));
});
after(() => rm(folder, { recursive: true }));

test('keys are on disk when they are kept, in their order, for nobody else to read', async () => {
  const file = join(folder, 'order');
  const ring = await KeyRing.open(file);
  assert.deepEqual(ring.ids(), []);
  await Promise.all([ring.keep(key(1)), ring.keep(key(2)), ring.keep(key(1))]);
  await ring.keep(key(3), { isOld: true });
  const again = await KeyRing.open(file);
  assert.deepEqual(again.ids(), [id(3), id(1), id(2)]);
  assert.deepEqual(again.key(id(2)), key(2));
  assert.equal(again.key(id(4)), null);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('old keys are forgotten when nothing is sealed under them; one that is yet to be used never is', async () => {
  const file = join(folder, 'old');
  const ring = await KeyRing.open(file);
  for (const n of [1, 2, 3, 4]) await ring.keep(key(n));
  await ring.forgetOld(id(9), new Set());
  assert.equal(ring.ids().length, 4);
  await ring.forgetOld(id(3), new Set([id(2)]));
  assert.deepEqual(ring.ids(), [id(2), id(3), id(4)]);
  await ring.forgetOld(id(3), new Set());
  assert.deepEqual((await KeyRing.open(file)).ids(), [id(3), id(4)]);
  await ring.forgetAll();
  assert.doesNotMatch(await readFile(file, 'utf8'), /03030303/);
});

test('a key that could not be written is not held', async () => {
  const file = join(folder, 'none', 'keys');
  await writeFile(join(folder, 'none'), '');
  await assert.rejects(KeyRing.open(file));
  const ring = await KeyRing.open(join(folder, 'later', 'keys'));
  await writeFile(join(folder, 'later'), '');
  await assert.rejects(ring.keep(key(1)));
  assert.equal(ring.key(id(1)), null);
});

test('a damaged file, or one of a newer format, is refused without a word of what it holds', async () => {
  const file = join(folder, 'damaged');
  const hex = '5e'.repeat(32);
  for (const text of [
    '',
    `{"format":1,"keys":["${hex}"`,
    `{"format":1,"keys":["${hex}5e"]}`,
    '{"format":2,"keys":[]}',
  ]) {
    await writeFile(file, text);
    const error = await KeyRing.open(file).then(
      () => assert.fail(text),
      (reason: Error) => reason,
    );
    assert.match(error.message, /can't be read .*remove the file/);
    assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /5e5e/);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyIdOf, open, seal } from '../../../node/secrets/sealing.ts';
import type { SealedSecret } from '../../../protocols/schema/secret.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, at) => at);
const OTHER = Uint8Array.from({ length: 32 }, (_, at) => at + 1);
const SECRET = { name: 'DB_PASSWORD', value: new TextEncoder().encode('hunter2') };

const boxOf = ({ sealed }: SealedSecret): string => sealed?.box ?? '';
const withBox = (secret: SealedSecret, change: (box: Buffer) => void): SealedSecret => {
  const box = Buffer.from(boxOf(secret), 'base64');
  change(box);
  return { ...secret, sealed: { keyId: keyIdOf(KEY), box: box.toString('base64') } };
};

test('what was sealed is opened for whom it was sealed, and is in no two boxes the same', () => {
  for (const value of [SECRET.value, new Uint8Array(), new Uint8Array(65536).fill(255)]) {
    const sealed = seal(KEY, 'task t1', { ...SECRET, value });
    assert.deepEqual(open(KEY, 'task t1', sealed), { ...SECRET, value });
    assert.notEqual(boxOf(seal(KEY, 'task t1', { ...SECRET, value })), boxOf(sealed));
  }
});

test('whoever may write the log can not move it to a task, a run, a name or a key of their own', () => {
  const sealed = seal(KEY, 'task t1', SECRET);
  assert.equal(open(KEY, 'task t2', sealed), null);
  assert.equal(open(KEY, 'run t1', sealed), null);
  assert.equal(open(KEY, 'task t1', { ...sealed, name: 'GREETING' }), null);
  assert.equal(
    open(KEY, 'task t1', { ...sealed, sealed: { keyId: keyIdOf(OTHER), box: boxOf(sealed) } }),
    null,
  );
  assert.equal(open(OTHER, 'task t1', sealed), null);
});

test('a changed, cut or empty box is not opened', () => {
  const sealed = seal(KEY, 'task t1', SECRET);
  const { length } = Buffer.from(boxOf(sealed), 'base64');
  for (let at = 0; at < length; at += 1) {
    const changed = withBox(sealed, (box) => {
      box[at] = (box[at] as number) ^ 1;
    });
    assert.equal(open(KEY, 'task t1', changed), null, `byte ${at}`);
  }
  for (const box of ['', boxOf(sealed).slice(0, -8), `AAAA${boxOf(sealed)}`, '?'])
    assert.equal(open(KEY, 'task t1', { ...sealed, sealed: { keyId: keyIdOf(KEY), box } }), null, box);
  assert.equal(open(KEY, 'task t1', { ...sealed, size: 6 }), null);
  assert.equal(open(KEY, 'task t1', { ...sealed, sealed: null }), null);
});

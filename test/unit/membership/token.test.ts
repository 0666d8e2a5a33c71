import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadToken } from '../../../node/membership/token.ts';

async function inScratch(work: (file: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'fsched-token-'));
  try {
    await work(join(directory, 'deep', 'join-token'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('a founder makes a token of 256 bits that only its user can read, and finds it again', () =>
  inScratch(async (file) => {
    const made = await loadToken(file, true);
    assert.ok(made.ok && made.value.length === 64);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await loadToken(file, false), made);
    assert.deepEqual(await loadToken(file, true), made);
  }));

test('nobody else makes one: a missing, short or unreadable token is told with what to do', () =>
  inScratch(async (file) => {
    const missing = await loadToken(file, false);
    assert.ok(!missing.ok && missing.error.code === 'MISSING' && /--token-file/.test(missing.error.message));
    await mkdir(join(file, '..'));
    await writeFile(file, 'short');
    const short = await loadToken(file, false);
    assert.ok(!short.ok && short.error.code === 'TOO_SHORT');
    const directory = await loadToken(join(file, '..'), false);
    assert.ok(!directory.ok && directory.error.code === 'UNREADABLE');
  }));

test('white space around a token does not count', () =>
  inScratch(async (file) => {
    const made = await loadToken(file, true);
    assert.ok(made.ok);
    assert.equal(await readFile(file, 'utf8'), `${made.value}\n`);
    await writeFile(file, '  the token of the cluster \n\n');
    assert.deepEqual(await loadToken(file, false), { ok: true, value: 'the token of the cluster' });
  }));

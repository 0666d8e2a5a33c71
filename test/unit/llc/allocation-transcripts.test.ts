/**
 * Golden transcripts of the way allocator. After a change that is meant, rewrite them with FSCHED_REWRITE=1 and read
 * the difference.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runTranscript } from './allocation-transcript.ts';

const DIRECTORY = join(import.meta.dirname, 'allocation-transcripts');

for (const name of readdirSync(DIRECTORY).sort()) {
  test(`way allocation: ${name}`, () => {
    const path = join(DIRECTORY, name);
    const text = readFileSync(path, 'utf8');
    const actual = runTranscript(text);
    if (process.env.FSCHED_REWRITE === '1') writeFileSync(path, actual);
    else assert.equal(actual, text);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loggable } from '../../../node/rest/http-headers.ts';

test('what may be a token is in no line of the log', () => {
  for (const [url, shown] of [
    ['/tasks', '/tasks'],
    ['/runs?state=running&limit=5', '/runs?state=running&limit=5'],
    ['/x?api_token=hunter2&limit=5', '/x?api_token=…&limit=5'],
    ['/x?a=b?&MySecretThing=hunter2', '/x?a=b?&MySecretThing=…'],
    ['/x?authorization=a=b', '/x?authorization=…'],
    ['/tokens/fsa_abc/x?fsj_def', '/tokens/…/x?…'],
    ['/x?token', '/x?token'],
  ] as const) {
    assert.equal(loggable(url), shown);
  }
});

// As much as fits into the headers that a server reads. Whoever tried each beginning with each end took minutes.
test('a stranger who writes a long URL gets no time for it', { timeout: 60_000 }, () => {
  const url = `/${'?'.repeat(8000)}${'token'.repeat(1500)}`;
  const shown = loggable(url);
  assert.ok(shown.startsWith('/???') && shown.endsWith('…'));
  assert.ok(shown.length < url.length);
  assert.equal(loggable(`/?${'token&'.repeat(200)}`), `/?${'token&'.repeat(200)}`);
});

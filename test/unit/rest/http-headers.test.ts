/** Text of strangers that passes through a node: URLs that it logs, headers that it hands on. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { endToEndHeaders, loggable } from '../../../node/rest/http-headers.ts';
import { startRest, until } from './harness.ts';

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
  assert.equal(loggable(url), url);
  const huge = `/?${'?token'.repeat(200_000)}`;
  assert.equal(loggable(huge), huge);
  assert.equal(loggable(`/?${'token&'.repeat(200)}`), `/?${'token&'.repeat(200)}`);
});

// Who looks from each space for the comma that ends them takes hours.
test('a list of headers for one hop with many spaces takes no time', { timeout: 60_000 }, () => {
  const spaces = ' '.repeat(4_000_000);
  const connection = `x${spaces}y ,${spaces}Hop${spaces}`;
  const message = { rawHeaders: ['Connection', connection, 'hop', '1'], headers: { connection } };
  assert.deepEqual(endToEndHeaders(message as unknown as IncomingMessage, []), {});
});

test('an answer that can not be handed on ends the request, and not the node', async () => {
  await using follower = await startRest();
  const streams: Duplex[] = [];
  const open = async () => {
    const [near, far] = duplexPair();
    streams.push(near);
    far.write('HTTP/1.1 099 Whatever\r\nContent-Length: 0\r\n\r\n');
    return near;
  };
  follower.backend.authorityNow = { kind: 'other', master: 'node-m', open };
  await assert.rejects(follower.call('GET', '/tasks'));
  await until(() => streams.length > 0 && streams.every(({ destroyed }) => destroyed));
  assert.equal((await follower.call('GET', '/healthz')).status, 200);
});

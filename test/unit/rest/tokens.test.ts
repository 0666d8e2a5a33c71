/** Tokens and the audit trail by REST. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tokenId } from '../../../protocols/proof/token-keys.ts';
import { fail } from '../../../protocols/schema/outcome.ts';
import { NOW, SECRET_TOKEN } from './fake-backend.ts';
import { nobodyTrusted, other, startRest } from './harness.ts';

const ID = tokenId('a token of a person');
const DAY_MS = 86_400_000;

describe('tokens', () => {
  test('what a token is when nobody says, and when somebody does', async () => {
    await using rest = await startRest();
    const by = 'root';
    const made = async (body: object) => {
      const reply = await rest.call('POST', '/tokens', body);
      assert.equal(reply.status, 201, reply.text);
      const { by: _, ...request } = rest.backend.tokenRequests.at(-1) ?? {};
      return request;
    };
    assert.deepEqual(await made({ kind: 'api' }), {
      kind: 'api',
      name: 'unnamed',
      scope: 'submit',
      ttlMs: 90 * DAY_MS,
    });
    assert.deepEqual(await made({ kind: 'join' }), {
      kind: 'join',
      name: 'unnamed',
      role: 'voter',
      uses: 1,
      ttlMs: DAY_MS,
    });
    assert.deepEqual(
      await made({ kind: 'join', name: 'rack 7', role: 'worker', uses: null, ttl_seconds: null }),
      {
        kind: 'join',
        name: 'rack 7',
        role: 'worker',
        uses: null,
        ttlMs: null,
      },
    );
    if (process.geteuid?.() === 0) assert.equal(rest.backend.tokenRequests[0]?.by, by);
  });

  test('the text of a token is told once, to whoever made or rotated it, and kept by no cache', async () => {
    await using rest = await startRest();
    const replies = [
      await rest.call('POST', '/tokens', { kind: 'api' }, { 'idempotency-key': 'once' }),
      await rest.call('POST', `/tokens/${ID}/rotate`),
    ];
    for (const reply of replies) {
      assert.deepEqual([reply.status, reply.json.token], [201, SECRET_TOKEN]);
      assert.equal(reply.headers['cache-control'], 'no-store');
    }
    const listed = await rest.call('GET', '/tokens');
    const revoked = await rest.call('DELETE', `/tokens/${ID}`);
    for (const { status, text } of [listed, revoked]) {
      assert.equal(status, 200);
      assert.doesNotMatch(text, /fsa_|"token"|sha256|"key"/);
    }
    assert.deepEqual(
      (listed.json.tokens as { state: string }[]).map(({ state }) => state),
      ['active', 'expired'],
    );
  });

  test('what makes no token', async () => {
    await using rest = await startRest();
    const bad: readonly object[] = [
      {},
      { kind: 'root' },
      { kind: 'api', scope: 'all' },
      { kind: 'api', uses: 2 },
      { kind: 'api', role: 'voter' },
      { kind: 'join', scope: 'admin' },
      { kind: 'join', uses: 0 },
      { kind: 'join', uses: 1.5 },
      { kind: 'api', ttl_seconds: 0 },
      { kind: 'api', ttl_seconds: 1e12 },
      { kind: 'api', name: '' },
      { kind: 'api', name: 'a\u001b[31m' },
      { kind: 'api', name: 'x'.repeat(65) },
    ];
    for (const body of bad)
      assert.equal((await rest.call('POST', '/tokens', body)).status, 400, JSON.stringify(body));
    for (const id of ['x', SECRET_TOKEN, `${ID}0`])
      assert.equal((await rest.call('DELETE', `/tokens/${id}`)).status, 400, id);
    assert.equal((await rest.call('DELETE', '/tokens/0123456789abcdef')).status, 404);
    assert.equal((await rest.call('POST', '/tokens/0123456789abcdef/rotate')).status, 404);
    assert.deepEqual(rest.backend.tokenRequests, []);
  });
});

describe('the audit trail', () => {
  const DEEDS: readonly [string, string, unknown, string, string][] = [
    ['DELETE', '/cluster/workers/node-b', undefined, 'DELETE /cluster/workers/:id', 'node-b'],
    ['POST', '/cluster/worker/add', { host: '10.0.0.7' }, 'POST /cluster/worker/add', '10.0.0.7'],
    ['POST', '/predictor/model/select', { version: 3 }, 'POST /predictor/model/select', 'version 3'],
    ['POST', '/predictor/model/train', undefined, 'POST /predictor/model/train', 'the model'],
    ['POST', '/tokens', { kind: 'api', scope: 'admin', name: 'ci' }, 'POST /tokens', 'api admin "ci"'],
    ['POST', `/tokens/${ID}/rotate`, undefined, 'POST /tokens/:id/rotate', ID],
    ['DELETE', `/tokens/${ID}`, undefined, 'DELETE /tokens/:id', ID],
  ];

  test('tells who did what to what by which node, and of reading and submitting nothing', async () => {
    await using rest = await startRest();
    const token = rest.backend.addToken('of-a-person', 'admin');
    for (const [method, path, body] of DEEDS) await rest.call(method, path, body, token);
    assert.deepEqual(
      rest.backend.deeds,
      DEEDS.map(([, , , action, subject]) => ({
        who: 'bearer of admin',
        tokenId: tokenId('of-a-person'),
        node: 'node-a',
        action,
        subject,
      })),
    );
    for (const [method, path, body] of [
      ['GET', '/tokens'],
      ['GET', '/audit'],
      ['POST', '/submit', { function_name: 'f' }],
      ['POST', '/tokens', { kind: 'none' }],
    ] as const)
      await rest.call(method, path, body, token);
    assert.equal(rest.backend.deeds.length, DEEDS.length);
  });

  test('what can not be recorded is not done', async () => {
    await using rest = await startRest();
    rest.backend.recordAnswer = fail({
      code: 'UNAVAILABLE',
      message: 'the disks are slow',
      retryAfterSeconds: 1,
    });
    rest.backend.removeWorker = rest.backend.addWorker = () => assert.fail('done');
    for (const [method, path, body] of DEEDS)
      assert.equal((await rest.call(method, path, body)).status, 503, path);
    assert.deepEqual([rest.backend.selected, rest.backend.tokenRequests], [[], []]);
  });

  test('names the node that was asked, whoever it is that records, and whom it answers for', async () => {
    await using master = await startRest({}, undefined, { trusts: nobodyTrusted });
    await using follower = await startRest();
    follower.backend.authorityNow = other(master, 'node-m', 'node-c');
    master.backend.scopes.set('node-c', 'admin');
    assert.equal((await follower.call('DELETE', '/cluster/workers/node-b')).status, 200);
    assert.deepEqual(follower.backend.deeds, []);
    const [{ who, node } = { who: '', node: '' }] = master.backend.deeds;
    assert.deepEqual([who, node], ['node node-c', 'node-c']);
  });

  test('a subject is cut and cleaned', async () => {
    await using rest = await startRest();
    await rest.call('DELETE', `/cluster/workers/${encodeURIComponent('a\u202eb\u0007')}`);
    await rest.call('POST', '/cluster/worker/add', { host: 'h'.repeat(512) });
    assert.deepEqual(
      rest.backend.deeds.map(({ subject }) => subject),
      ['a�b�', 'h'.repeat(512)],
    );
  });

  test('is told by admins to admins, as much as they ask for', async () => {
    await using rest = await startRest();
    await rest.call('POST', '/predictor/model/select', { version: 0 });
    const { json } = await rest.call('GET', '/audit');
    assert.equal((json.entries as { action: string }[])[0]?.action, 'POST /predictor/model/select');
    assert.deepEqual(rest.backend.lastAuditFilter, { limit: 100, sinceMs: null });
    await rest.call('GET', `/audit?limit=3&since=${new Date(NOW).toISOString()}`);
    assert.deepEqual(rest.backend.lastAuditFilter, { limit: 3, sinceMs: NOW });
    for (const query of ['limit=0', 'limit=100000', 'since=yesterday', 'since=2025-99-99T00:00:00Z'])
      assert.equal((await rest.call('GET', `/audit?${query}`)).status, 400, query);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '../../../protocols/schema/outcome.ts';
import { NOW } from './fake-backend.ts';
import { other, startRest } from './harness.ts';

test('the model: what is in use, its versions, who holds which, what was dropped', async () => {
  await using rest = await startRest();
  const { json } = await rest.call('GET', '/predictor/model');
  const { versions, dropped, ...more } = json as { versions: { version: number }[]; dropped: object[] };
  assert.deepEqual(more, {
    model: 'fake',
    version: 3,
    description: 'A fake.',
    generosity: -0.1,
    sha256: 'c'.repeat(64),
    current: 3,
    nodes: [
      { id: 'node-a', name: 'name-node-a', alive: true, version: 3 },
      { id: 'node-b', name: 'name-node-b', alive: false, version: null },
    ],
    training: {
      running: { since: new Date(NOW).toISOString(), tasks: 4, points: 30 },
      last: 'it was dropped',
    },
  });
  const score = { within: 0.9, ways_ratio: 1.2, questions: 100 };
  const origin = {
    base: 0,
    before: { loss: 1, ...score },
    after: { loss: 0.5, ...score },
    extent: { functions: 30, curves: 200, points: 3000 },
    learned: { tasks: 4, points: 20 },
    seed: 7,
    backend: 'cpu',
    node: 'node-a',
    trained_at: new Date(NOW).toISOString(),
  };
  assert.deepEqual(versions, [{ version: 3, sha256: 'b'.repeat(64), size: 1000, ...origin }]);
  assert.deepEqual(dropped, [{ ...origin, base: 3, trained_at: new Date(5_000).toISOString() }]);
});

test('select: a version that is known; 404 and 400 with a sentence', async () => {
  await using rest = await startRest();
  const reply = await rest.call('POST', '/predictor/model/select', { version: 0 });
  assert.deepEqual(
    [reply.status, reply.json],
    [200, { message: 'version 0 is the current one; the nodes load it now', current: 0 }],
  );
  assert.deepEqual(rest.backend.selected, [0]);
  rest.backend.selectAnswer = fail({ code: 'NOT_FOUND', message: 'there is no version 9 of the model' });
  assert.equal((await rest.call('POST', '/predictor/model/select', { version: 9 })).status, 404);
  for (const body of [
    undefined,
    {},
    { version: -1 },
    { version: 1.5 },
    { version: '1' },
    { version: null },
  ]) {
    const refused = await rest.call('POST', '/predictor/model/select', body);
    assert.equal(refused.status, 400, JSON.stringify(body));
    assert.match(String(refused.json.message), /version/);
  }
});

test('train: 202 with what it learns from, 409 with the reason', async () => {
  await using rest = await startRest();
  const reply = await rest.call('POST', '/predictor/model/train');
  assert.equal(reply.status, 202);
  assert.deepEqual([reply.json.tasks, reply.json.points], [4, 30]);
  assert.match(String(reply.json.message), /30 points of 4 tasks/);
  rest.backend.trainAnswer = fail({ code: 'CONFLICT', message: 'it is being trained already' });
  const refused = await rest.call('POST', '/predictor/model/train');
  assert.deepEqual(
    [refused.status, refused.json],
    [409, { message: 'it is being trained already', code: 'CONFLICT' }],
  );
});

test('explain: points, curve, band, choice', async () => {
  await using rest = await startRest();
  const reply = await rest.call('GET', '/predictor/explain?task_id=t1&input_size=1024&max_slowdown=1.2');
  assert.equal(reply.status, 200);
  assert.deepEqual(rest.backend.explainRequests, [{ task: { id: 't1' }, inputSize: 1024, maxSlowdown: 1.2 }]);
  assert.deepEqual(reply.json, {
    task_id: 't1',
    function: 'name of t1',
    input_size: 1024,
    mode: 'BENCHMARKED',
    ways: 2,
    needed: 2,
    why: '2 of 4 ways',
    expected_slowdown: 1.01,
    at_most: 1.04,
    max_slowdown: 1.05,
    generosity: -0.1,
    cache: { ways: 4, way_bytes: 1 << 20 },
    model: { name: 'fake', version: 3 },
    full_cache_seconds: 2,
    slowdown: [1.4, 1.01, 1, 1],
    quantiles: [
      { level: 0.05, slowdown: [1.3, 1, 1, 1] },
      { level: 0.95, slowdown: [1.5, 1.04, 1.01, 1] },
    ],
    measured: [
      {
        input_size: 1024,
        profiler: 'cachegrind',
        origin: 'benchmark',
        way_bytes: 1 << 20,
        weight: 1,
        points: [
          { ways: 1, mean_seconds: 2.8, samples: 1 },
          { ways: 4, mean_seconds: 2, samples: 2 },
        ],
      },
    ],
    drift: null,
  });
  await rest.call('GET', '/predictor/explain?function=sort&input_size=7');
  const byName = { task: { name: 'sort' }, inputSize: 7, maxSlowdown: null };
  assert.deepEqual(rest.backend.explainRequests.at(-1), byName);
});

test('explain as a picture, also through another node', async () => {
  await using rest = await startRest();
  await using follower = await startRest();
  follower.backend.authorityNow = other(rest);
  for (const node of [rest, follower]) {
    const reply = await node.call('GET', '/predictor/explain?task_id=t1&input_size=1024&format=svg');
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-type'], 'image/svg+xml; charset=utf-8');
    assert.match(String(reply.headers['content-security-policy']), /default-src 'none'/);
    assert.match(reply.text, /^<svg [\s\S]*<\/svg>\n$/);
  }
});

test('explain refuses what makes no question', async () => {
  await using rest = await startRest();
  for (const query of [
    'input_size=1',
    'task_id=t1',
    'task_id=t1&function=f&input_size=1',
    'task_id=t1&input_size=-1',
    'task_id=t1&input_size=1.5',
    'task_id=t1&input_size=x',
    'task_id=t1&input_size=1&max_slowdown=0.5',
    'task_id=t1&input_size=1&max_slowdown=NaN',
    'task_id=t1&input_size=1&format=png',
    'task_id=&input_size=1',
    'task_id=a%00&input_size=1',
    'function=&input_size=1',
  ]) {
    const reply = await rest.call('GET', `/predictor/explain?${query}`);
    assert.deepEqual([reply.status, reply.json.code], [400, 'BAD_REQUEST'], query);
  }
  rest.backend.explainAnswer = fail({ code: 'NOT_FOUND', message: 'there is no task x' });
  assert.equal((await rest.call('GET', '/predictor/explain?task_id=x&input_size=1')).status, 404);
});

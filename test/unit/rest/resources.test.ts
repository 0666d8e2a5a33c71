import assert from 'node:assert/strict';
import { request } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { NOW } from './fake-backend.ts';
import { startRest, until } from './harness.ts';

test('tasks: newest first; one with its profiles; 404 with a sentence', async () => {
  await using rest = await startRest();
  const list = await rest.call('GET', '/tasks');
  assert.deepEqual(
    (list.json.tasks as { task_id: string }[]).map((task) => task.task_id),
    ['t2', 't1'],
  );
  assert.deepEqual((list.json.tasks as unknown[])[1], {
    task_id: 't1',
    name: 'name of t1',
    file_name: 't1.py',
    sha256: '0'.repeat(64),
    size: 3,
    command: null,
    secrets: [],
    created_at: '2025-01-31T12:00:00.000Z',
  });
  const one = await rest.call('GET', '/tasks/t1');
  const [profile] = one.json.profiles as { points: unknown[]; measured_at: string }[];
  assert.equal(profile?.measured_at, '2025-01-31T12:00:00.000Z');
  const spread_seconds = 0.001 * Math.SQRT2;
  const point = profile?.points[1] as { spread_seconds: number };
  assert.ok(Math.abs(point.spread_seconds - spread_seconds) < 1e-12);
  assert.deepEqual(
    { ...point, spread_seconds },
    {
      ways: 16,
      seconds: [0.014, 0.016],
      mean_seconds: 0.015,
      spread_seconds,
    },
  );
  assert.equal(one.json.drift, null);
  rest.backend.drift = {
    sinceMs: NOW,
    inputSize: 7,
    ways: 4,
    beforeSeconds: 1,
    afterSeconds: 2,
    message: 'benchmark it again',
  };
  assert.deepEqual((await rest.call('GET', '/tasks/t1')).json.drift, {
    since: '2025-01-31T12:00:00.000Z',
    input_size: 7,
    ways: 4,
    before_seconds: 1,
    after_seconds: 2,
    message: 'benchmark it again',
  });
  const missing = await rest.call('GET', '/tasks/nope');
  assert.equal(missing.status, 404);
  assert.deepEqual(missing.json, {
    message: 'there is no task "nope"; GET /tasks lists them',
    code: 'NOT_FOUND',
  });
  assert.equal((await rest.call('GET', `/tasks/${'x'.repeat(200)}`)).status, 400);
  assert.equal((await rest.call('GET', '/tasks/a%00b')).status, 400);
  assert.equal((await rest.call('GET', '/tasks/%zz')).status, 400);
  const long = await rest.call('GET', `/tasks/${'x'.repeat(600)}`);
  assert.deepEqual([long.status, long.json.message], [404, 'there is nothing with so long an id']);
});

test('runs: list with filters', async () => {
  await using rest = await startRest();
  const reply = await rest.call('GET', '/runs?state=queued&task_id=t1&limit=7');
  assert.equal(reply.status, 200);
  assert.deepEqual(rest.backend.lastFilter, { state: 'queued', taskId: 't1', limit: 7 });
  assert.deepEqual((reply.json.runs as unknown[])[1], {
    run_id: 'q1',
    task_id: 't1',
    purpose: 'run',
    mode: 'BENCHMARKED',
    state: 'queued',
    command: 'python3',
    input_size: 1024,
    time_limit_seconds: 60,
    node: null,
    domain: null,
    ways: 6,
    choice: null,
    measure: null,
    measurement: null,
    secrets: [],
    attempts: 0,
    created_at: '2025-01-31T12:00:00.000Z',
    started_at: null,
    finished_at: null,
    error: null,
  });
  await rest.call('GET', '/runs');
  assert.deepEqual(rest.backend.lastFilter, { state: null, taskId: null, limit: 100 });
  for (const query of [
    'state=asleep',
    'limit=0',
    'limit=1001',
    'limit=x',
    'limit=1.5',
    'task_id=',
    'state=queued&state=lost',
  ]) {
    const bad = await rest.call('GET', `/runs?${query}`);
    assert.equal(bad.status, 400, query);
  }
});

test('a run has its result once it has ended', async () => {
  await using rest = await startRest();
  const done = await rest.call('GET', '/runs/r1');
  assert.equal((done.json.result as { cos: number }).cos, 4);
  assert.equal(done.json.run_id, 'r1');
  const queued = await rest.call('GET', '/runs/q1');
  assert.deepEqual([queued.status, queued.json.result], [200, null]);
  assert.equal((await rest.call('GET', '/runs/nope')).status, 404);
});

test('cancel: 200 with the run, 404, 409', async () => {
  await using rest = await startRest();
  const reply = await rest.call('DELETE', '/runs/q1');
  assert.deepEqual([reply.status, reply.json.state], [200, 'cancelled']);
  assert.equal((await rest.call('DELETE', '/runs/nope')).status, 404);
  const ended = await rest.call('DELETE', '/runs/r1');
  assert.deepEqual([ended.status, ended.json.code], [409, 'CONFLICT']);
});

test('output gives the bytes untouched; unknown runs and streams are refused', async () => {
  await using rest = await startRest();
  const asked: unknown[] = [];
  const original = rest.backend.onOutput;
  rest.backend.onOutput = (id, stream, options) => {
    asked.push([id, stream, options.follow]);
    return original(id, stream, options);
  };
  const response = await fetch(`${rest.url}/runs/r1/output?stream=stderr`);
  assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.deepEqual([...new Uint8Array(await response.arrayBuffer())], [0, 255, 10]);
  assert.deepEqual(asked, [['r1', 'stderr', false]]);
  assert.equal((await rest.call('GET', '/runs/nope/output')).status, 404);
  assert.equal((await rest.call('GET', '/runs/r1/output?stream=stdin')).status, 400);
  assert.equal((await rest.call('GET', '/runs/r1/output?follow=maybe')).status, 400);
});

test('follow sends headers at once and bytes as they come, and ends with the run', async () => {
  await using rest = await startRest();
  const program = new PassThrough();
  rest.backend.onOutput = async () => succeed(program);
  const response = await fetch(`${rest.url}/runs/r1/output?follow=true`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  program.write('one');
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'one');
  program.write('two');
  assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), 'two');
  program.end();
  assert.equal((await reader.read()).done, true);
});

test('a follower that hangs up is told to the backend and its stream is destroyed', async () => {
  await using rest = await startRest();
  const program = new PassThrough();
  rest.backend.onOutput = async () => succeed(program);
  const call = request(`${rest.url}/runs/r1/output?follow=true`, { agent: false });
  call.on('error', () => {});
  call.on('response', () => call.destroy());
  call.end();
  await until(() => rest.backend.aborted.includes('output') && program.destroyed, 'abort');
});

test('workers: add, list, information, remove', async () => {
  await using rest = await startRest();
  const added = await rest.call('POST', '/cluster/worker/add', { host: '192.168.1.10' });
  assert.equal(added.status, 200);
  assert.equal(added.text, '{"message":"worker node successfully added"}');
  for (const body of [undefined, {}, { host: '' }, { host: 5 }, { host: 'a b' }, { host: 'a\nb' }]) {
    const reply = await rest.call('POST', '/cluster/worker/add', body);
    assert.equal(reply.status, 400, JSON.stringify(body));
    assert.match(String(reply.json.message), /host/);
  }
  rest.backend.addAnswer = fail({ code: 'WORKER_UNRESPONSIVE', message: 'Nothing answers at x; start it.' });
  const silent = await rest.call('POST', '/cluster/worker/add', { host: 'x' });
  assert.equal(silent.status, 500);
  assert.deepEqual(silent.json, { message: 'Nothing answers at x; start it.', code: 'WORKER_UNRESPONSIVE' });

  const list = await rest.call('GET', '/cluster/workers');
  assert.equal(
    list.text,
    '{"workers":[{"id":"node-a","host":"10.0.0.1"},{"id":"node-b","host":"10.0.0.2"}]}',
  );
  const information = await rest.call('GET', '/cluster/worker/list');
  assert.deepEqual(information.json['node-a'], {
    id: 'node-a',
    name: 'name-node-a',
    host: '10.0.0.1',
    addresses: ['/ip4/10.0.0.1/tcp/8300'],
    may_vote: true,
    joined_by: null,
    role: 'master',
    alive: true,
    last_heard_seconds: 0.25,
    joined_at: '2025-01-31T12:00:00.000Z',
    version: '0.1.0',
    cpus: 2,
    cpu_model: 'Fake CPU',
    memory_bytes: 8e9,
    free_memory_bytes: 4e9,
    load: 0.5,
    enforcement: 'unenforced',
    profilers: ['cachegrind', 'wallclock'],
    takes_runs: true,
    troubles: [],
    ways: 16,
    free_ways: 12,
    llc: [
      {
        id: 0,
        cpus: [0, 1],
        ways: 16,
        free_ways: 12,
        way_bytes: 1 << 20,
        masks: { reserve: 0xc000, foreign: 0, io: 0, pool: 0 },
        occupancy_bytes: 4096,
        min_ways: 1,
        pool_bandwidth_percent: 50,
        runs: [
          {
            run_id: 'r1',
            attempt: 1,
            domain: 0,
            ways: 4,
            sensitive: true,
            hold: 'partition',
            mask: 15,
            occupancy_bytes: 4096,
          },
        ],
      },
    ],
  });
  const silentNode = information.json['node-b'] as Record<string, unknown>;
  assert.deepEqual(
    [silentNode.alive, silentNode.cpus, silentNode.ways, silentNode.llc],
    [false, null, null, []],
  );

  assert.equal((await rest.call('DELETE', '/cluster/workers/node-b')).status, 200);
  rest.backend.removeAnswer = fail({ code: 'NOT_FOUND', message: 'no such member' });
  assert.equal((await rest.call('DELETE', '/cluster/workers/node-z')).status, 404);
  rest.backend.removeAnswer = fail({ code: 'CONFLICT', message: 'the last voter' });
  assert.equal((await rest.call('DELETE', '/cluster/workers/node-a')).status, 409);
});

test('cluster, generosity', async () => {
  await using rest = await startRest();
  const { json } = await rest.call('GET', '/cluster');
  const { members, ...rest_ } = json;
  assert.equal((members as unknown[]).length, 2);
  assert.deepEqual(rest_, {
    cluster_id: 'c0ffee',
    term: 3,
    master: 'node-a',
    voters: ['node-a'],
    learners: ['node-b'],
    commit_index: 42,
    applied_index: 41,
    last_index: 43,
    health: { state: 'degraded', reasons: ['node-b is away: start it'] },
    versions: { members: 2, tasks: 1, profiles: 1, runs: 4, models: 3, observations: 5 },
    queued: 1,
    running: 2,
  });
  assert.equal((await rest.call('GET', '/scheduler/generosity')).text, '{"generosity":-0.1}');
});

test('unknown paths, wrong methods', async () => {
  await using rest = await startRest();
  const unknown = await rest.call('GET', '/nope?x=1');
  assert.equal(unknown.status, 404);
  assert.match(String(unknown.json.message), /GET \/nope; GET \/openapi\.json/);
  const wrong = await rest.call('PUT', '/runs/r1', { a: 1 });
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.allow, 'DELETE, GET');
  assert.equal((await rest.call('GET', '/controller/task/run')).status, 405);
  assert.equal((await rest.call('POST', '/nope', '<x/>', { 'content-type': 'text/xml' })).status, 404);
});

test('the local endpoints answer without a master and without asking for one', async () => {
  await using rest = await startRest();
  rest.backend.leader = null;
  rest.backend.authorityNow = { kind: 'none', reason: 'An election is going on.', retryAfterSeconds: 2 };
  const health = await rest.call('GET', '/healthz');
  assert.equal(health.status, 200);
  assert.deepEqual(health.json, {
    status: 'no_master',
    message: 'there is no master now: an election is under way, or a majority of the voters is down',
    id: 'node-a',
    name: 'alpha',
    version: '9.9.9',
    role: 'voter',
    term: 3,
    master: null,
    enforcement: 'unenforced',
    troubles: [],
    disk: null,
    uptime_seconds: 12.5,
  });
  rest.backend.removed = 'removed; start anew';
  const removed = (await rest.call('GET', '/healthz')).json;
  assert.deepEqual([removed.status, removed.message], ['removed', 'removed; start anew']);
  rest.backend.removed = null;
  rest.backend.room = { directory: '/d', freeBytes: 1, reserveBytes: 2, isLow: true };
  rest.backend.troubles = ['the disk is full'];
  const full = (await rest.call('GET', '/healthz')).json;
  assert.deepEqual(
    [full.status, full.message, full.troubles, full.disk],
    ['disk_full', 'the disk is full', ['the disk is full'], { free_bytes: 1, reserve_bytes: 2 }],
  );
  assert.equal((await rest.call('HEAD', '/healthz')).status, 200);
  assert.equal((await rest.call('GET', '/openapi.json')).status, 200);
  const index = await rest.call('GET', '/');
  for (const link of Object.values(index.json.links as Record<string, string>)) {
    assert.notEqual((await rest.call('GET', link)).status, 404, link);
  }
  const refused = await rest.call('GET', '/tasks');
  assert.equal(refused.status, 503);
  assert.equal(refused.headers['retry-after'], '2');
  assert.deepEqual(refused.json, { message: 'An election is going on.', code: 'NO_MASTER' });
});

test('metrics: the node, the cluster on the master only, requests by route', async () => {
  await using rest = await startRest();
  await rest.call('GET', '/runs/r1');
  const text = (await rest.call('GET', '/metrics')).text;
  for (const line of [
    'fsched_term 3',
    'fsched_model_version 3',
    'fsched_is_master 1',
    'fsched_commit_index 42',
    'fsched_consensus_frames_dropped{peer="node-b",objection="second-leader"} 7',
    'fsched_queued_runs 1',
    'fsched_free_ways{node="node-a",domain="0"} 12',
    'fsched_table_version{table="runs"} 4',
    'fsched_members{alive="false"} 1',
    'fsched_http_request_duration_seconds_count{method="GET",route="/runs/:run_id",status="200"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
  assert.match(text, /process_resident_memory_bytes \d/);
  rest.backend.authorityNow = { kind: 'none', reason: 'none', retryAfterSeconds: 1 };
  rest.backend.leader = null;
  const follower = (await rest.call('GET', '/metrics')).text;
  assert.match(follower, /^fsched_master_known 0$/m);
  assert.doesNotMatch(follower, /^fsched_(queued_runs|free_ways\S*) \d/m);
});

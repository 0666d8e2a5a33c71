import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BenchmarkRequest } from '../../../node/master/requests.ts';
import { type ApiFailure, fail, succeed } from '../../../protocols/schema/outcome.ts';
import { aProfile, aResult, aRun } from './fake-backend.ts';
import { startRest, until } from './harness.ts';

const body = { command: 'python3 -u', task_id: 't1', input_size: 1024 };
const RUN = '/controller/task/run';
const BENCHMARK = '/controller/task/benchmark';

test('a run answers with the fields of the seed, ours, and the mode', async () => {
  await using rest = await startRest();
  const reply = await rest.call('POST', RUN, body);
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['fsched-mode'], 'BENCHMARKED');
  assert.deepEqual(reply.json, {
    result: {
      id: 'r1',
      cos: 4,
      command: 'python3',
      input_size: 1024,
      pid: 4242,
      stdout: 'out',
      stderr: '',
      exit_status: 0,
      timestamp: '2025-01-31T12:00:00.010Z',
      execution_time: { secs: 2, nanos: 15_000_001 },
      node: 'node-a',
      domain: 0,
      ways: 4,
      enforcement: 'unenforced',
      enforcement_reason: 'no CAT here',
      cache_use: null,
      isolation: null,
      choice: null,
      state: 'succeeded',
      error: null,
      attempts: 1,
      cpus: [0, 1],
      stdout_truncated: true,
      stderr_truncated: false,
    },
    mode: 'BENCHMARKED',
  });
  assert.deepEqual(rest.backend.runRequests, [
    {
      taskId: 't1',
      command: 'python3 -u',
      inputSize: 1024,
      timeLimitMs: null,
      idempotencyKey: null,
      secrets: [],
      maxSlowdown: null,
    },
  ]);
});

test('what the counters said of a run is told under their names', async () => {
  await using rest = await startRest();
  const occupancyBytes = { last: 1, peak: 3, mean: 2 };
  const cacheUse = {
    samples: 7,
    occupancyBytes,
    bandwidthBytesPerSecond: null,
    localBandwidthBytesPerSecond: null,
  };
  const run = aRun('r1', { result: { ...aResult, cacheUse } });
  rest.backend.onRun = async () => succeed({ mode: 'BENCHMARKED', view: { run, stdout: '', stderr: '' } });
  const reply = await rest.call('POST', RUN, body);
  assert.deepEqual((reply.json.result as { cache_use: unknown }).cache_use, {
    samples: 7,
    occupancy_bytes: occupancyBytes,
    bandwidth_bytes_per_second: null,
    local_bandwidth_bytes_per_second: null,
  });
});

test('a task that was never benchmarked gives exactly the message of the seed', async () => {
  await using rest = await startRest();
  rest.backend.onRun = async () => succeed({ mode: 'INOP' });
  const reply = await rest.call('POST', RUN, body);
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['fsched-mode'], 'INOP');
  assert.equal(
    reply.text,
    '{"message":"Task is not yet ready for execution. Try benchmarking it with a specific input size"}',
  );
});

test('a run that was lost before it had a result is told as it is', async () => {
  await using rest = await startRest();
  const lost = aRun('r9', {
    state: 'lost',
    result: null,
    assignment: null,
    startedAtMs: null,
    error: 'no node',
  });
  rest.backend.onRun = async () =>
    succeed({ mode: 'ASSISTED', view: { run: lost, stdout: null, stderr: null } });
  const { json } = await rest.call('POST', RUN, body);
  const result = json.result as Record<string, unknown>;
  assert.equal(json.mode, 'ASSISTED');
  assert.deepEqual(
    [result.pid, result.exit_status, result.timestamp, result.state, result.error, result.cos, result.stdout],
    [null, null, null, 'lost', 'no node', 6, ''],
  );
});

test('a benchmark answers exactly as the seed does', async () => {
  await using rest = await startRest();
  const reply = await rest.call('POST', BENCHMARK, body);
  assert.equal(reply.status, 200);
  assert.equal(
    reply.text,
    '{"message":"Benchmarking was successful and task is ready for execution","exec_time":{"input_size":1024,"time":"15ms"}}',
  );
});

test('a benchmark is told the profiler; auto when none is named', async () => {
  await using rest = await startRest();
  for (const profiler of ['auto', 'resctrl', 'cachegrind', 'wallclock'])
    assert.equal((await rest.call('POST', BENCHMARK, { ...body, profiler })).status, 200);
  await rest.call('POST', BENCHMARK, body);
  const asked = rest.backend.runRequests.map((request) => (request as BenchmarkRequest).profiler);
  assert.deepEqual(asked, ['auto', 'resctrl', 'cachegrind', 'wallclock', 'auto']);
  const refused = await rest.call('POST', BENCHMARK, { ...body, profiler: 'perf' });
  assert.equal(refused.status, 400);
  assert.match(String(refused.json.message), /"profiler" must be auto, resctrl, cachegrind or wallclock/);
});

test('a benchmark is told how many executions it may take; none says as many as it needs', async () => {
  await using rest = await startRest();
  for (const executions of [2, 48, undefined])
    assert.equal((await rest.call('POST', BENCHMARK, { ...body, executions })).status, 200);
  const asked = rest.backend.runRequests.map((request) => (request as BenchmarkRequest).executions);
  assert.deepEqual(asked, [2, 48, null]);
  for (const executions of [1, 49, 2.5, 'few'])
    assert.equal((await rest.call('POST', BENCHMARK, { ...body, executions })).status, 400);
});

test('how much slower a run may be is a number from 1 to 100, for run and submit', async () => {
  await using rest = await startRest();
  const submission = { function_name: 'f' };
  for (const max_slowdown of [1, 1.2, 100]) {
    assert.equal((await rest.call('POST', RUN, { ...body, max_slowdown })).status, 200);
    assert.equal((await rest.call('POST', '/submit', { ...submission, max_slowdown })).status, 202);
  }
  assert.deepEqual(
    rest.backend.runRequests.map((request) => 'maxSlowdown' in request && request.maxSlowdown),
    [1, 1.2, 100],
  );
  assert.deepEqual(
    rest.backend.submissions.map(({ maxSlowdown }) => maxSlowdown),
    [1, 1.2, 100],
  );
  for (const max_slowdown of [0.99, 100.1, '1.1', null, -1]) {
    for (const [path, whole] of [
      [RUN, body],
      ['/submit', submission],
    ] as const) {
      const refused = await rest.call('POST', path, { ...whole, max_slowdown });
      assert.equal(refused.status, 400, String(max_slowdown));
      assert.match(String(refused.json.message), /"max_slowdown" must be a number from 1 to 100/);
    }
  }
});

test('a run shows why it got so many ways', async () => {
  await using rest = await startRest();
  const choice = {
    needed: 3,
    ways: 4,
    expectedSlowdown: 1.01,
    atMost: 1.03,
    maxSlowdown: 1.05,
    model: 'm',
    modelVersion: 2,
  };
  const run = aRun('c1', {
    spec: { ...aRun('c1').spec, choice },
    result: aResult,
  });
  rest.backend.tables.runs.set('c1', { run, stdout: '', stderr: '' });
  const { json } = await rest.call('GET', '/runs/c1');
  const shown = {
    needed: 3,
    ways: 4,
    expected_slowdown: 1.01,
    at_most: 1.03,
    max_slowdown: 1.05,
    model: 'm',
    model_version: 2,
  };
  assert.deepEqual(json.choice, shown);
  const result = json.result as Record<string, unknown>;
  assert.deepEqual(result.choice, shown);
});

test('a measured run shows what was measured', async () => {
  await using rest = await startRest();
  const counts = { cycles: 1234, iRefs: 1000, l1Misses: 3, llMisses: 2 };
  const measured = aRun('m1', {
    spec: { ...aRun('m1').spec, measure: { profiler: 'cachegrind', ways: 7, wayBytes: 131072 } },
    result: { ...aResult, measurement: { seconds: 0.5, counts, processes: null } },
  });
  rest.backend.tables.runs.set('m1', { run: measured, stdout: '', stderr: '' });
  const { json } = await rest.call('GET', '/runs/m1');
  assert.deepEqual(json.measure, { profiler: 'cachegrind', ways: 7, way_bytes: 131072 });
  const expected = { seconds: 0.5, cycles: 1234, i_refs: 1000, l1_misses: 3, ll_misses: 2 };
  assert.deepEqual(json.measurement, expected);
});

test('old clients: the input size as digits, unknown keys, curl -d without a content type', async () => {
  await using rest = await startRest();
  const odd = { ...body, input_size: '2048', colour: 'blue', time_limit_seconds: 1.5 };
  assert.equal((await rest.call('POST', RUN, odd)).status, 200);
  const text = JSON.stringify(body);
  const curl = { 'content-type': 'application/x-www-form-urlencoded' };
  assert.equal((await rest.call('POST', RUN, text, curl)).status, 200);
  assert.equal((await rest.call('POST', RUN, text)).status, 200);
  const [first, second, third] = rest.backend.runRequests;
  assert.deepEqual([first?.inputSize, first?.timeLimitMs], [2048, 1500]);
  assert.deepEqual([second?.inputSize, third?.inputSize], [1024, 1024]);
});

const bad: readonly [string, unknown, RegExp][] = [
  ['no body', undefined, /missing in the body: command, task_id, input_size$/],
  ['no keys', {}, /missing in the body: command, task_id, input_size$/],
  ['one key missing', { command: 'x', input_size: 1 }, /missing in the body: task_id$/],
  ['an array', [], /JSON object/],
  ['null', null, /missing|JSON object/],
  ['a string', '"text"', /JSON object/],
  ['not JSON', '{"command": ', /not valid JSON/],
  ['negative size', { ...body, input_size: -1 }, /"input_size" must be a whole number from 0/],
  ['fraction', { ...body, input_size: 1.5 }, /"input_size"/],
  ['huge size', { ...body, input_size: 2 ** 53 }, /"input_size"/],
  ['huge size as digits', { ...body, input_size: '9999999999999999' }, /"input_size"/],
  ['size as text', { ...body, input_size: 'many' }, /"input_size"/],
  ['negative size as text', { ...body, input_size: '-4' }, /"input_size"/],
  ['size null', { ...body, input_size: null }, /"input_size"/],
  ['size boolean', { ...body, input_size: true }, /"input_size"/],
  ['command empty', { ...body, command: '' }, /"command" must be a string of 1 to 4096 bytes/],
  ['command blank', { ...body, command: '   ' }, /"command"/],
  ['command a number', { ...body, command: 7 }, /"command"/],
  ['command with a new line', { ...body, command: 'a\nb' }, /"command".*control characters/],
  ['command with NUL', { ...body, command: 'a\u0000b' }, /"command"/],
  ['command with C1', { ...body, command: 'a\u0085b' }, /"command"/],
  ['command too long', { ...body, command: 'x'.repeat(4097) }, /"command"/],
  ['command too long in bytes', { ...body, command: 'ä'.repeat(2049) }, /"command"/],
  ['task id a number', { ...body, task_id: 3 }, /"task_id"/],
  ['task id empty', { ...body, task_id: '' }, /"task_id"/],
  ['task id too long', { ...body, task_id: 'x'.repeat(129) }, /"task_id"/],
  ['time limit zero', { ...body, time_limit_seconds: 0 }, /"time_limit_seconds" must be a number of seconds/],
  ['time limit text', { ...body, time_limit_seconds: '5' }, /"time_limit_seconds"/],
  ['time limit too long', { ...body, time_limit_seconds: 1e9 }, /"time_limit_seconds"/],
];

for (const path of [RUN, BENCHMARK]) {
  test(`bad input to ${path} is refused with a sentence and reaches nobody`, async () => {
    await using rest = await startRest();
    for (const [what, input, message] of bad) {
      const headers = typeof input === 'string' ? { 'content-type': 'application/json' } : {};
      const reply = await rest.call('POST', path, input, headers);
      assert.equal(reply.status, 400, `${what}: ${reply.text}`);
      assert.equal(reply.json.code, 'BAD_REQUEST', what);
      assert.match(String(reply.json.message), message, what);
      assert.deepEqual(Object.keys(reply.json), ['message', 'code'], what);
    }
    assert.deepEqual(rest.backend.runRequests, []);
    assert.equal((await rest.call('POST', path, body)).status, 200);
  });
}

test('other content types are 415, large bodies 413, and the connection stays usable', async () => {
  await using rest = await startRest({ maxBodyBytes: 2000 });
  const wrong = await rest.call('POST', RUN, '<x/>', { 'content-type': 'application/xml' });
  assert.deepEqual([wrong.status, wrong.json.code], [415, 'UNSUPPORTED_MEDIA_TYPE']);
  const large = await rest.call('POST', RUN, { ...body, filler: 'x'.repeat(2000) });
  assert.deepEqual([large.status, large.json.code], [413, 'TOO_LARGE']);
  assert.deepEqual(rest.backend.runRequests, []);
});

const refusals: readonly [ApiFailure['code'], number][] = [
  ['BAD_REQUEST', 400],
  ['NOT_FOUND', 404],
  ['CONFLICT', 409],
  ['TOO_LARGE', 413],
  ['UNPROCESSABLE', 422],
  ['QUEUE_FULL', 429],
  ['WORKER_UNRESPONSIVE', 500],
  ['NO_MASTER', 503],
  ['UNAVAILABLE', 503],
];
test('each refusal of the backend has its status, and Retry-After where trying again helps', async () => {
  await using rest = await startRest();
  for (const [code, status] of refusals) {
    rest.backend.onRun = async () => fail({ code, message: `because of ${code}`, retryAfterSeconds: 2.2 });
    const reply = await rest.call('POST', RUN, body);
    assert.equal(reply.status, status);
    assert.deepEqual(reply.json, { message: `because of ${code}`, code });
    assert.equal(reply.headers['retry-after'], status === 429 || status === 503 ? '3' : undefined);
  }
});

test('an exception of the backend is 500 and leaks nothing', async () => {
  await using rest = await startRest();
  rest.backend.onRun = async () => {
    throw new Error('secret path /var/lib/x');
  };
  const reply = await rest.call('POST', RUN, body);
  assert.equal(reply.status, 500);
  assert.equal(reply.json.code, 'INTERNAL');
  assert.doesNotMatch(reply.text, /secret/);
});

test('a benchmark whose program fails is 422', async () => {
  await using rest = await startRest();
  rest.backend.benchmarkAnswer = fail({ code: 'UNPROCESSABLE', message: 'exited with status 1' });
  assert.equal((await rest.call('POST', BENCHMARK, body)).status, 422);
});

test('the Idempotency-Key is checked and passed on', async () => {
  await using rest = await startRest();
  const key = `a key ~${'x'.repeat(248)}`;
  assert.equal((await rest.call('POST', RUN, body, { 'idempotency-key': key })).status, 200);
  assert.equal(rest.backend.runRequests[0]?.idempotencyKey, key);
  for (const wrong of ['', 'x'.repeat(256), 'caf\u00e9']) {
    const reply = await rest.call('POST', RUN, body, { 'idempotency-key': wrong });
    assert.equal(reply.status, 400, wrong);
    assert.match(String(reply.json.message), /Idempotency-Key/);
  }
});

test('a client that hangs up aborts the wait for its run', async () => {
  await using rest = await startRest();
  rest.backend.onRun = () => new Promise(() => {});
  const controller = new AbortController();
  const pending = fetch(`${rest.url}${RUN}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: controller.signal,
  }).catch(() => null);
  await until(() => rest.backend.runRequests.length === 1, 'the run request');
  controller.abort();
  await pending;
  await until(() => rest.backend.aborted.includes('run'), 'the abort');
});

test('the time of a benchmark is the mean with the most ways', async () => {
  await using rest = await startRest();
  const times: readonly [number, string][] = [
    [0, '0us'],
    [0.00085, '850us'],
    [0.0009996, '1ms'],
    [0.0015, '1.5ms'],
    [0.00996, '10ms'],
    [0.015, '15ms'],
    [0.9996, '1s'],
    [1.2341, '1.234s'],
    [75.5, '75.5s'],
  ];
  for (const [seconds, shown] of times) {
    rest.backend.benchmarkAnswer = succeed({
      ...aProfile('t1', 1024),
      points: [
        { ways: 2, seconds: [9] },
        { ways: 11, seconds: [seconds] },
        { ways: 10, seconds: [9] },
      ],
    });
    const { json } = await rest.call('POST', BENCHMARK, body);
    assert.equal((json.exec_time as { time: string }).time, shown);
  }
});

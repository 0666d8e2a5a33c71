import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { aRun, queuedRun } from './fake-backend.ts';
import { startRest } from './harness.ts';

test('submit accepts with 202 and says where to look', async () => {
  await using rest = await startRest();
  // The README's example sends no content type.
  const reply = await rest.call(
    'POST',
    '/submit',
    '{"function_name": "my_function", "parameters": {"arg1": "value1"}}',
  );
  assert.equal(reply.status, 202);
  assert.equal(reply.headers.location, '/runs/q1');
  assert.deepEqual(reply.json, { run_id: 'q1', status_url: '/runs/q1', state: 'queued' });
  assert.deepEqual(rest.backend.submissions, [
    {
      functionName: 'my_function',
      parameters: { arg1: 'value1' },
      secrets: [],
      maxSlowdown: null,
      idempotencyKey: null,
    },
  ]);
});

test('submit takes any JSON value as parameters, or none', async () => {
  await using rest = await startRest();
  for (const parameters of [null, 0, 'text', [1], { __proto__: null, a: 1 }]) {
    assert.equal((await rest.call('POST', '/submit', { function_name: 'f', parameters })).status, 202);
    assert.deepEqual(
      rest.backend.submissions.at(-1)?.parameters,
      parameters === null ? null : JSON.parse(JSON.stringify(parameters)),
    );
  }
  await rest.call('POST', '/submit', { function_name: 'f' });
  assert.equal(rest.backend.submissions.at(-1)?.parameters, undefined);
});

test('submit with wait answers 200 with the run when it ended, else 202', async () => {
  await using rest = await startRest();
  const waited: number[] = [];
  rest.backend.onAwait = async (id, waitMs) => {
    waited.push(waitMs);
    return succeed({ run: aRun(id), stdout: 'out', stderr: '' });
  };
  const done = await rest.call('POST', '/submit?wait=1.5', { function_name: 'f' });
  assert.equal(done.status, 200);
  assert.equal(done.json.state, 'succeeded');
  assert.equal((done.json.result as { stdout: string }).stdout, 'out');
  assert.deepEqual(waited, [1500]);
  rest.backend.onAwait = async (id) => succeed({ run: queuedRun(id), stdout: null, stderr: null });
  assert.equal((await rest.call('POST', '/submit?wait=1', { function_name: 'f' })).status, 202);
  // The run is committed: its id is worth more to the client than the refusal.
  rest.backend.onAwait = async () => fail({ code: 'NO_MASTER', message: 'lost' });
  assert.equal((await rest.call('POST', '/submit?wait=1', { function_name: 'f' })).status, 202);
});

test('bad submissions are refused', async () => {
  await using rest = await startRest();
  const deep = `{"function_name":"f","parameters":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const cases: readonly [string, unknown, RegExp][] = [
    ['/submit', {}, /missing in the body: function_name/],
    ['/submit', { function_name: '' }, /"function_name"/],
    ['/submit', { function_name: 5 }, /"function_name"/],
    ['/submit', { function_name: 'a\u0007' }, /"function_name"/],
    ['/submit?wait=-1', { function_name: 'f' }, /"wait" must be a number of seconds from 0 to 3600/],
    ['/submit?wait=3601', { function_name: 'f' }, /"wait"/],
    ['/submit?wait=soon', { function_name: 'f' }, /"wait"/],
    ['/submit?wait=', { function_name: 'f' }, /"wait"/],
    ['/submit?wait=1&wait=2', { function_name: 'f' }, /"wait"/],
    ['/submit', deep, /nested too deeply/],
  ];
  for (const [path, input, message] of cases) {
    const reply = await rest.call('POST', path, input);
    assert.equal(reply.status, 400, `${path}: ${reply.text}`);
    assert.match(String(reply.json.message), message);
  }
  assert.deepEqual(rest.backend.submissions, []);
  rest.backend.submitAnswer = fail({ code: 'NOT_FOUND', message: 'There is no function "f".' });
  assert.equal((await rest.call('POST', '/submit', { function_name: 'f' })).status, 404);
});

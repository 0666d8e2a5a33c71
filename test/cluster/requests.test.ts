import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';
import { ECHO, NODE, SLEEPER, SQUARES, UNTIL_WOKEN, wakeUntil } from './programs.ts';

describe('requests to a real node', () => {
  let cluster: TestCluster;
  let node: DaemonProcess;
  before(async () => {
    cluster = await TestCluster.of(1, ['--max-upload-bytes', '1MiB', '--queue-limit', '2']);
    node = cluster.first;
  });
  after(() => cluster[Symbol.asyncDispose]());

  const submit = (body: unknown, query = ''): ReturnType<DaemonProcess['post']> =>
    node.post(`/submit${query}`, body);

  test('submit finds the newest function, passes parameters, and answers 202 or the result', async () => {
    await node.upload('echo.mjs', 'throw new Error("the older one")');
    await node.upload('echo.mjs', ECHO, { command: NODE });
    const accepted = await submit({ function_name: 'echo', parameters: { word: 'ä' } });
    assert.equal(accepted.status, 202, JSON.stringify(accepted.json));
    assert.equal(accepted.headers.get('location'), `/runs/${accepted.json.run_id}`);
    const waited = await submit({ function_name: 'echo', parameters: { input_size: 77 } }, '?wait=300');
    assert.equal(waited.status, 200, JSON.stringify(waited.json));
    const said = JSON.parse(waited.json.result.stdout);
    assert.deepEqual(said, { size: '77', stdin: '{"input_size":77}', variable: '{"input_size":77}' });
    const bySize = await submit({ function_name: 'echo', parameters: { word: 'ä' } }, '?wait=300');
    assert.equal(JSON.parse(bySize.json.result.stdout).size, String(Buffer.byteLength('{"word":"ä"}')));
    const none = await submit({ function_name: 'nope', parameters: {} });
    assert.equal(none.status, 404);
  });

  test('Ctrl-C at submit --wait says which run goes on; it does', async () => {
    await node.upload('sleeper.mjs', SLEEPER, { command: NODE });
    const bundle = join(import.meta.dirname, '../../dist/fsched.js');
    const args = ['submit', 'sleeper', JSON.stringify({ input_size: UNTIL_WOKEN }), '--wait', '5m'];
    const child = spawn(process.execPath, [bundle, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: node.environment,
    });
    const said = text(child.stderr);
    const ended = once(child, 'exit');
    const run = await eventually('a run', async () => (await node.get('/runs?state=running')).json.runs[0]);
    child.kill('SIGINT');
    assert.deepEqual((await ended)[0], 130);
    assert.match(await said, new RegExp(`run ${run.run_id} goes on: .*fsched cancel ${run.run_id}`));
    const end = eventually(
      'its end',
      async () => (await node.get(`/runs/${run.run_id}`)).json.state === 'succeeded',
    );
    await wakeUntil(end, [run.run_id]);
    assert.equal(
      (await node.get('/runs')).json.runs.filter(
        ({ task_id }: { task_id: string }) => task_id === run.task_id,
      ).length,
      1,
    );
  });

  test('the same Idempotency-Key gives the same run; for something else it is refused', async () => {
    await node.upload('squares.mjs', SQUARES, { command: NODE });
    const key = { 'idempotency-key': 'once' };
    const [one, two] = await Promise.all([
      node.post('/submit', { function_name: 'squares', parameters: { input_size: 3 } }, key),
      node.post('/submit', { function_name: 'squares', parameters: { input_size: 3 } }, key),
    ]);
    assert.equal(one.json.run_id, two.json.run_id);
    const other = await node.post(
      '/submit',
      { function_name: 'squares', parameters: { input_size: 4 } },
      key,
    );
    assert.equal(other.status, 409);
  });

  test('a run can be followed and cancelled', async () => {
    await node.upload('sleeper.mjs', SLEEPER, { command: NODE });
    const { run_id: id } = (
      await submit({ function_name: 'sleeper', parameters: { input_size: UNTIL_WOKEN } })
    ).json;
    const output = await node.fetch(`/runs/${id}/output?follow=true`);
    const reader = output.body?.getReader();
    const first = await reader?.read();
    assert.equal(new TextDecoder().decode(first?.value), 'started\n');
    const cancelled = await node.request(`/runs/${id}`, { method: 'DELETE' });
    assert.equal(cancelled.status, 200, JSON.stringify(cancelled.json));
    assert.equal(cancelled.json.state, 'cancelled');
    while (!(await reader?.read())?.done);
    await eventually(
      'all ways free',
      async () => (await node.get('/cluster')).json.members[0].free_ways === 16,
    );
  });

  test('a full queue answers 429 with Retry-After; cancelling makes room', async () => {
    await node.upload('sleeper.mjs', SLEEPER, { command: NODE });
    const replies = [];
    for (let i = 0; i < 12; i += 1)
      replies.push(await submit({ function_name: 'sleeper', parameters: { input_size: UNTIL_WOKEN } }));
    const refused = replies.filter((reply) => reply.status === 429);
    assert.ok(refused.length >= 1);
    assert.ok(Number(refused[0]?.headers.get('retry-after')) > 0);
    const accepted = replies.filter((reply) => reply.status === 202);
    for (const { json } of accepted) await node.request(`/runs/${json.run_id}`, { method: 'DELETE' });
    await eventually('an idle cluster', async () => (await node.get('/cluster')).json.queued === 0);
  });

  test('a command that does not exist is a failed run with a sentence', async () => {
    const task = await node.upload('squares.mjs', SQUARES);
    await node.post('/controller/task/benchmark', { command: NODE, task_id: task, input_size: 1 });
    const reply = await node.post('/controller/task/run', {
      command: 'no-such-program',
      task_id: task,
      input_size: 1,
    });
    assert.equal(reply.status, 200);
    assert.equal(reply.json.result.state, 'failed');
    assert.equal(reply.json.result.exit_status, 127);
    assert.match(reply.json.result.error, /no-such-program/);
  });

  test('a benchmark of a program that fails changes nothing', async () => {
    const task = await node.upload('broken.mjs', 'process.exit(3)');
    const reply = await node.post('/controller/task/benchmark', {
      command: NODE,
      task_id: task,
      input_size: 1,
    });
    assert.equal(reply.status, 422, JSON.stringify(reply.json));
    assert.deepEqual((await node.get(`/tasks/${task}`)).json.profiles, []);
  });

  test('large output is kept to its limit, and comes back whole up to there', async () => {
    await node.upload('loud.mjs', 'process.stdout.write("x".repeat(3_000_000))', { command: NODE });
    const { result } = (await submit({ function_name: 'loud' }, '?wait=300')).json;
    assert.equal(result.stdout.length, 1024 * 1024);
    assert.equal(result.stdout_truncated, true);
  });

  test('bad input is refused with a sentence, and nothing is changed', async () => {
    const task = await node.upload('squares.mjs', SQUARES);
    const run = (body: unknown): ReturnType<DaemonProcess['post']> => node.post('/controller/task/run', body);
    const form = (fileName: string, size = 10): RequestInit => {
      const data = new FormData();
      data.set('file', new Blob([new Uint8Array(size)]), fileName);
      return { method: 'POST', body: data };
    };
    const upload = (init: RequestInit): ReturnType<DaemonProcess['request']> =>
      node.request('/controller/task/new', init);
    const valid = { command: NODE, task_id: task, input_size: 1 };
    const cases: readonly [string, number, () => ReturnType<DaemonProcess['request']>][] = [
      ['no file', 400, () => upload({ method: 'POST', body: new FormData() })],
      ['a path as file name', 400, () => upload(form('../../etc/passwd'))],
      ['too large', 413, () => upload(form('large.bin', 2 * 1024 * 1024))],
      ['missing keys', 400, () => run({ command: NODE })],
      ['unknown task', 404, () => run({ ...valid, task_id: 'nope' })],
      ['negative size', 400, () => run({ ...valid, input_size: -1 })],
      ['huge size', 400, () => run({ ...valid, input_size: 1e300 })],
      ['control characters', 400, () => run({ ...valid, command: 'sh\u0000 -c' })],
      [
        'not JSON',
        400,
        () =>
          node.request('/controller/task/run', {
            method: 'POST',
            body: '{',
            headers: { 'content-type': 'application/json' },
          }),
      ],
      ['unknown run', 404, () => node.get('/runs/nope')],
      ['unknown path', 404, () => node.get('/nope')],
    ];
    const before = await node.inspect();
    for (const [what, status, ask] of cases) {
      const reply = await ask();
      assert.equal(reply.status, status, `${what}: ${JSON.stringify(reply.json)}`);
      assert.ok(reply.json.message.length > 10 && typeof reply.json.code === 'string', what);
    }
    const after = await node.inspect();
    assert.deepEqual(after.tables, before.tables);
    assert.equal((await node.get('/healthz')).status, 200);
  });
});

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { compile, missingTools, PROGRAMS } from '../support/c-programs.ts';
import { type DaemonProcess, TestCluster } from '../support/daemon-process.ts';
import { eventually } from '../support/eventually.ts';

const BUNDLE = join(import.meta.dirname, '../../dist/fsched.js');
const GEOMETRY = ['--llc', 'emulated', '--llc-geometry', '16x128KiB'];
/** Two of the sixteen are left to everything else. */
const WAYS = 14;

describe('a benchmark by cachegrind through a real daemon', { skip: missingTools() }, () => {
  let cluster: TestCluster;
  let node: DaemonProcess;
  let folder = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fsched-programs-'));
    cluster = await TestCluster.of(1, GEOMETRY);
    node = cluster.first;
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const upload = (name: keyof typeof PROGRAMS): Promise<string> =>
    node.upload(name, readFileSync(compile(PROGRAMS[name], folder)), { command: `./${name}` });
  const profiles = async (task: string) => (await node.get(`/tasks/${task}`)).json.profiles;
  const fsched = (...args: string[]): ChildProcess =>
    spawn(process.execPath, [BUNDLE, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: node.environment,
    });

  test('the node says by what it can measure', async () => {
    assert.deepEqual((await node.get('/cluster')).json.members[0].profilers, ['cachegrind', 'wallclock']);
  });

  test('a curve with a cliff; then runs get their ways from it', async () => {
    const task = await upload('sweep');
    const request = { command: './sweep', task_id: task, input_size: 700 };
    const reply = await node.post('/controller/task/benchmark', request);
    assert.equal(reply.status, 200, JSON.stringify(reply.json));
    assert.deepEqual(Object.keys(reply.json), ['message', 'exec_time']);
    const [profile] = await profiles(task);
    assert.deepEqual(
      [profile.profiler, profile.note, profile.ways, profile.way_bytes],
      ['cachegrind', null, WAYS, 131072],
    );
    const times = new Map<number, number>(
      profile.points.map((point: { ways: number; mean_seconds: number }) => [point.ways, point.mean_seconds]),
    );
    assert.ok((times.get(1) ?? 0) > 2 * (times.get(WAYS) ?? 1));
    assert.ok(times.size <= 8);
    const { runs } = (await node.get(`/runs?task_id=${task}`)).json;
    assert.equal(runs.length, times.size + 1, 'one run a point, and one of the program by itself');
    for (const run of runs) {
      assert.deepEqual([run.purpose, run.state, run.ways], ['benchmark', 'succeeded', 1]);
      if (run.measure === null) continue;
      assert.equal(run.measurement.seconds, times.get(run.measure.ways));
      assert.ok(run.measurement.ll_misses <= run.measurement.l1_misses);
      const shown = (await node.get(`/runs/${run.run_id}`)).json.result;
      assert.deepEqual([shown.stdout.trim().length > 0, shown.stderr], [true, '']);
    }
    const { json } = await node.post('/controller/task/run', request);
    assert.equal(json.mode, 'BENCHMARKED');
    assert.ok(json.result.ways >= 2, `a cliff is worth more than one way: ${json.result.ways}`);
    const flat = await upload('arithmetic');
    const other = { command: './arithmetic', task_id: flat, input_size: 100_000 };
    assert.equal((await node.post('/controller/task/benchmark', other)).status, 200);
    const { result } = (await node.post('/controller/task/run', other)).json;
    assert.equal(result.ways, 1);
    assert.match(result.enforcement_reason, /would be shared \(it gains nothing from cache of its own\)/);
    assert.match(json.result.enforcement_reason, /would be enforced/);
  });

  test('what compiles while it runs is timed, and the profile says why', async () => {
    const task = await node.upload('one.mjs', 'console.log(1)');
    const request = { command: process.execPath, task_id: task, input_size: 1 };
    assert.equal((await node.post('/controller/task/benchmark', request)).status, 200);
    const [profile] = await profiles(task);
    assert.equal(profile.profiler, 'wallclock');
    assert.match(profile.note, /node compiles while it runs/);
  });

  test('a command that starts several programs: the profile says what was measured', async () => {
    const task = await node.upload('many.sh', 'for i in 1 2 3; do /bin/true; done');
    const request = { command: 'sh', task_id: task, input_size: 1 };
    assert.equal((await node.post('/controller/task/benchmark', request)).status, 200);
    const [profile] = await profiles(task);
    assert.equal(profile.profiler, 'cachegrind');
    assert.match(profile.note, /^[45] processes were measured and added up; most of it \(\d+ %\) is .*\S/);
  });

  test('a profiler that is nowhere is 422 with a sentence', async () => {
    const task = await upload('arithmetic');
    const request = { command: './arithmetic', task_id: task, input_size: 1, profiler: 'resctrl' };
    const reply = await node.post('/controller/task/benchmark', request);
    assert.equal(reply.status, 422);
    assert.match(reply.json.message, /no node can measure by resctrl/);
  });

  test('a client that hangs up cancels: nothing runs any more, nothing is kept', async () => {
    const task = await upload('arithmetic');
    const request = { command: './arithmetic', task_id: task, input_size: 400_000_000 };
    const client = new AbortController();
    const gone = assert.rejects(
      node.request('/controller/task/benchmark', {
        method: 'POST',
        body: JSON.stringify({ ...request, profiler: 'cachegrind' }),
        headers: { 'content-type': 'application/json' },
        signal: client.signal,
      }),
    );
    await eventually('a simulated run', async () =>
      (await node.get(`/runs?task_id=${task}&state=running`)).json.runs.some(
        (run: { measure: unknown }) => run.measure !== null,
      ),
    );
    client.abort();
    await gone;
    const runs = await eventually('all over', async () => {
      const all = (await node.get(`/runs?task_id=${task}`)).json.runs;
      return all.every((run: { finished_at: string | null }) => run.finished_at !== null) && all;
    });
    assert.deepEqual([runs.length, runs[0].state], [2, 'cancelled']);
    await eventually(
      'ways free',
      async () => (await node.get('/cluster')).json.members[0].free_ways === WAYS,
    );
    assert.deepEqual(await profiles(task), []);
  });

  test('fsched benchmark --json: the answer and the profile', async () => {
    const task = await upload('arithmetic');
    const child = fsched('benchmark', task, '1000', '--profiler', 'cachegrind', '--json');
    const answer = JSON.parse(await text(child.stdout as NodeJS.ReadableStream & AsyncIterable<Buffer>));
    assert.equal(answer.exec_time.input_size, 1000);
    assert.equal(answer.profile.profiler, 'cachegrind');
    const ways = answer.profile.points.map((point: { ways: number }) => point.ways);
    assert.deepEqual([ways[0], ways.at(-1)], [1, WAYS]);
  });

  test('Ctrl-C at fsched benchmark cancels it', async () => {
    const task = await upload('arithmetic');
    const child = fsched('benchmark', task, '400000000', '--profiler', 'cachegrind');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const said = text(child.stderr as NodeJS.ReadableStream & AsyncIterable<Buffer>);
    await eventually('a run', async () =>
      (await node.get(`/runs?task_id=${task}&state=running`)).json.runs.some(
        (run: { measure: unknown }) => run.measure !== null,
      ),
    );
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.match(await said, /the node ends the benchmark, and nothing of it is kept/);
    await eventually('the end of its run', async () => {
      const { runs } = (await node.get(`/runs?task_id=${task}`)).json;
      return runs[0].state === 'cancelled';
    });
    assert.deepEqual(await profiles(task), []);
  });
});

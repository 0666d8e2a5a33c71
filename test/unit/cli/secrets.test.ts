import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { run, task } from './fixtures.ts';
import { Bundle, FakeNode } from './run-cli.ts';

const BINARY = Buffer.from([0, 255, 10, 13]);
const TASKS = [200, { tasks: [task] }] as const;

let bundle: Bundle;
let folder: string;
let file: string;
before(async () => {
  bundle = new Bundle();
  folder = await mkdtemp(join(tmpdir(), 'fsched-cli-'));
  file = join(folder, 'secret');
  await writeFile(file, BINARY);
});
after(async () => {
  bundle[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

describe('--secret', () => {
  test('sends the bytes of files with run, submit and task upload', async () => {
    const program = join(folder, 'sort.py');
    await writeFile(program, 'x');
    await using node = await FakeNode.start({
      'GET /tasks': TASKS,
      'POST /controller/task/run': [200, { message: 'not run' }],
      'POST /submit': [202, { run_id: 'r', status_url: '/runs/r', state: 'queued' }],
      'POST /controller/task/new': [200, { task_id: 'new' }],
    });
    const secrets = ['--secret', `A=${file}`, '--secret', `B.b=${file}`, '--api', node.url];
    for (const command of [
      ['run', 'sort', '1'],
      ['submit', 'sort'],
      ['task', 'upload', program],
    ])
      await bundle.run([...command, ...secrets]);
    const sent = { A: BINARY.toString('base64'), 'B.b': BINARY.toString('base64') };
    const [, asked, submitted, uploaded] = node.seen;
    assert.deepEqual(JSON.parse(asked?.body ?? '').secrets, sent);
    assert.deepEqual(JSON.parse(submitted?.body ?? '').secrets, sent);
    const type = { 'content-type': String(uploaded?.headers['content-type']) };
    const form = await new Response(uploaded?.body, { headers: type }).formData();
    assert.deepEqual(JSON.parse(String(form.get('secrets'))), sent);
  });

  test('reads standard input and FIFOs', async () => {
    await using node = await FakeNode.start({
      'POST /submit': [202, { run_id: 'r', status_url: '/runs/r', state: 'queued' }],
    });
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    using _writer = spawn('sh', ['-c', 'printf late > "$0"', fifo]);
    const args = ['submit', 'sort', '--secret', 'A=-', '--secret', `B=${fifo}`, '--api', node.url];
    const child = spawn(process.execPath, [bundle.program, ...args], { stdio: ['pipe', 'ignore', 'pipe'] });
    child.stdin.end('typed');
    assert.equal(await text(child.stderr), '');
    const { secrets } = JSON.parse(node.seen[0]?.body ?? '');
    assert.deepEqual([atob(secrets.A), atob(secrets.B)], ['typed', 'late']);
  });

  test('that is wrong is told by its name, and never by what it holds', async () => {
    const large = join(folder, 'large');
    await writeFile(large, 'x'.repeat(64 * 1024 + 1));
    await using node = await FakeNode.start({ 'GET /tasks': TASKS });
    for (const [args, expected] of [
      [['DB:hunter2'], /--secret: write NAME=FILE/],
      [['=hunter2'], /--secret: a name is a letter/],
      [['hunter2 x=y'], /--secret: a name is a letter/],
      [['A=-', 'B=-'], /standard input holds one secret/],
      [['A='], /--secret: write NAME=FILE/],
      [[`A=${file}`, `A=${file}`], /A is given more than once/],
      [[`A=${folder}/none`], /--secret A: its file can't be read: .*no such file/],
      [[`A=${folder}`], /--secret A: its file can't be read: .*directory/],
      [[`A=${large}`], /--secret A: its file can't be read: .*more than 65536 bytes/],
    ] as const) {
      const flags = args.flatMap((arg) => ['--secret', arg]);
      const ended = await bundle.run(['submit', 'sort', ...flags, '--api', node.url]);
      assert.equal(ended.exitCode, 2, String(args));
      assert.match(ended.stderr, expected);
      assert.doesNotMatch(ended.stderr, /hunter2/);
    }
    assert.equal(node.seen.length, 0, 'nothing was sent');
  });
});

test('task show and runs tell the names of secrets', async () => {
  const path = `/tasks/${task.task_id}`;
  await using node = await FakeNode.start({
    'GET /tasks': TASKS,
    [`GET ${path}`]: [200, { ...task, secrets: ['A', 'B'], profiles: [], drift: null }],
    'GET /runs/run123': [200, { ...run, secrets: ['C'] }],
  });
  assert.match((await bundle.run(['task', 'show', 'sort', '--api', node.url])).stdout, /^secrets +A, B$/m);
  assert.match((await bundle.run(['runs', 'run123', '--api', node.url])).stdout, /^own secrets +C$/m);
});

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import displayWidth from 'string-width';
import { eventually, HANG_MS } from '../../support/eventually.ts';
import {
  cluster,
  explanation,
  health,
  joinToken,
  model,
  otherTask,
  result,
  run,
  task,
  taskDetail,
} from './fixtures.ts';
import { Bundle, type FakeAnswer, FakeNode } from './run-cli.ts';

let bundle: Bundle;
let folder: string;
before(async () => {
  bundle = new Bundle();
  folder = await mkdtemp(join(tmpdir(), 'fsched-cli-'));
});
after(async () => {
  bundle[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

const NO_MASTER: FakeAnswer = [503, { message: 'There is no master; try again.', code: 'NO_MASTER' }];
const tasks: FakeAnswer = [200, { tasks: [task, otherTask] }];

async function fsched(
  args: readonly string[],
  answers: Readonly<Record<string, FakeAnswer>>,
  environment = {},
) {
  await using node = await FakeNode.start(answers);
  const ended = await bundle.run([...args, '--api', node.url], environment);
  return { ...ended, seen: node.seen };
}

/** A node whose answers take their own way. */
async function serving(listener: RequestListener) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return asked;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('usage', () => {
  const COMMANDS = [
    '',
    'start',
    'status',
    'peers',
    'workers',
    'workers add',
    'workers remove',
    'capacity',
    'task',
    'task upload',
    'task list',
    'task show',
    'benchmark',
    'run',
    'submit',
    'runs',
    'logs',
    'cancel',
    'model',
    'model explain',
    'model select',
    'model train',
    'token',
    'token create',
    'token list',
    'token revoke',
    'token rotate',
    'audit',
    'inspect',
    'demo',
  ];
  for (const command of COMMANDS) {
    test(`fsched ${command} --help fits 80 columns`, async () => {
      const { exitCode, stdout } = await bundle.run([...command.split(' ').filter(Boolean), '--help']);
      assert.equal(exitCode, 0);
      assert.match(stdout, new RegExp(`^Usage: fsched ${command}`));
      for (const line of stdout.split('\n')) assert.ok(displayWidth(line) <= 80, line);
    });
  }

  for (const args of [
    ['statsu'],
    ['status', '--jsn'],
    ['run', 'task'],
    [],
    ['run', 'sort', '-1'],
    ['start', '--voters', '4'],
    ['submit', 'sort', '--wait', '30'],
  ]) {
    test(`fsched ${args.join(' ')} ends with 2`, async () => {
      const { exitCode, stdout, stderr } = await bundle.run(args);
      assert.equal(exitCode, 2);
      assert.equal(stdout, '');
      assert.notEqual(stderr, '');
      assert.doesNotMatch(stderr, /\n {4}at /);
    });
  }

  test('names what was probably meant', async () => {
    assert.match((await bundle.run(['statsu'])).stderr, /Did you mean status\?/);
  });

  test('tells the version', async () => {
    assert.match((await bundle.run(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

describe('exit codes', () => {
  test('3 and a sentence when no node answers', async () => {
    const { exitCode, stderr } = await bundle.run(['status'], { FSCHED_API: 'http://127.0.0.1:1' });
    assert.equal(exitCode, 3);
    assert.match(stderr, /^fsched: no node answers at http:\/\/127\.0\.0\.1:1 .*"fsched start".*\n$/);
  });

  test('3 when something else than a node answers', async () => {
    const { exitCode, stderr } = await fsched(['runs'], { 'GET /runs': [200, '<html>'] });
    assert.equal(exitCode, 3);
    assert.match(stderr, /is no fsched node/);
  });

  test('waits as long as a node says that is asked too often, and only then', async () => {
    await using server = await serving((_request, response) => {
      const limited = JSON.stringify({ message: 'too many requests', code: 'RATE_LIMITED' });
      if (server.asked === 1) response.writeHead(429, { 'retry-after': '0' }).end(limited);
      else response.end(JSON.stringify({ runs: [] }));
    });
    assert.equal((await bundle.run(['runs', '--api', server.url])).exitCode, 0);
    assert.equal(server.asked, 2);
    const full = await fsched(['runs'], { 'GET /runs': [429, { message: 'full', code: 'QUEUE_FULL' }] });
    assert.equal(full.exitCode, 5);
    assert.equal(full.seen.length, 1);
  });

  const refusals: readonly (readonly [number, string, number])[] = [
    [400, 'BAD_REQUEST', 5],
    [401, 'UNAUTHORIZED', 5],
    [404, 'NOT_FOUND', 6],
    [409, 'CONFLICT', 5],
    [422, 'UNPROCESSABLE', 1],
    [429, 'QUEUE_FULL', 5],
    [500, 'INTERNAL', 8],
    [503, 'NO_MASTER', 4],
  ];
  for (const [status, code, expected] of refusals) {
    test(`${expected} for ${status} ${code}, with the node's message`, async () => {
      const { exitCode, stderr } = await fsched(['model'], {
        'GET /predictor/model': [status, { message: 'Do this.', code }],
      });
      assert.equal(exitCode, expected);
      assert.equal(stderr, 'fsched: Do this.\n');
    });
  }

  test('7 when the answer takes too long', async () => {
    const { exitCode, stderr } = await fsched(['model', '--timeout', '100ms'], {
      'GET /predictor/model': 'silence',
    });
    assert.equal(exitCode, 7);
    assert.match(stderr, /within 100 ms/);
  });
});

describe('status', () => {
  test('sums the cluster up', async () => {
    const { exitCode, stdout } = await fsched(['status'], {
      'GET /cluster': [200, cluster],
      'GET /healthz': [200, health],
    });
    assert.equal(exitCode, 0);
    for (const fact of [
      /alpha \(voter\)/,
      /term +3/,
      /1 up, 1 down/,
      /12 of 16 free/,
      /degraded; beta is down/,
    ]) {
      assert.match(stdout, fact);
    }
  });

  test('falls back on the node itself when there is no master', async () => {
    const { exitCode, stdout, stderr } = await fsched(['status'], {
      'GET /cluster': NO_MASTER,
      'GET /healthz': [200, { ...health, status: 'no_master', master: null }],
    });
    assert.equal(exitCode, 4);
    assert.match(stdout, /alpha \(voter\)/);
    assert.match(stderr, /There is no master/);
  });

  test('says when the node was removed, and what to do', async () => {
    const message = 'this node was removed; stop it';
    const { stdout } = await fsched(['status'], {
      'GET /cluster': NO_MASTER,
      'GET /healthz': [200, { ...health, status: 'removed', message, master: null }],
    });
    assert.match(stdout, /state +removed: this node was removed; stop it/);
    assert.doesNotMatch(stdout, /master +none now/);
  });

  test('bears the API token', async () => {
    const file = join(folder, 'token');
    await writeFile(file, 'secret\n');
    const answers: Readonly<Record<string, FakeAnswer>> = {
      'GET /cluster': [200, cluster],
      'GET /healthz': [200, health],
    };
    const { seen } = await fsched(['status'], answers, { FSCHED_API_TOKEN_FILE: file });
    for (const { headers } of seen) assert.equal(headers.authorization, 'Bearer secret');
  });
});

describe('tables', () => {
  const answers: Readonly<Record<string, FakeAnswer>> = {
    'GET /cluster': [200, cluster],
    'GET /cluster/worker/list': [
      200,
      Object.fromEntries(cluster.members.map((member) => [member.id, member])),
    ],
    'GET /tasks': tasks,
    [`GET /tasks/${task.task_id}`]: [200, taskDetail],
    'GET /runs': [200, { runs: [run] }],
    'GET /runs/run123': [200, run],
  };
  const COMMANDS = [
    ['peers'],
    ['workers'],
    ['capacity'],
    ['task', 'list'],
    ['task', 'show', 'sort'],
    ['runs'],
    ['runs', 'run123'],
  ];
  for (const args of COMMANDS) {
    test(`${args.join(' ')} fits 80 columns, without colours in a pipe`, async () => {
      const { exitCode, stdout } = await fsched(args, answers);
      assert.equal(exitCode, 0);
      assert.ok(stdout.includes('alpha') || stdout.includes(task.name) || stdout.includes('run123'), stdout);
      for (const line of stdout.split('\n')) assert.ok(displayWidth(line) <= 80, line);
      assert.ok(!stdout.includes('\u001b'));
    });
  }

  test('peers: a node that is down was not heard now', async () => {
    const members = cluster.members.map((member) => ({ ...member, last_heard_seconds: 0.2 }));
    const { stdout } = await fsched(['peers'], { 'GET /cluster': [200, { ...cluster, members }] });
    const [, alpha, beta] = stdout.split('\n');
    assert.match(alpha ?? '', /up +now/);
    assert.match(beta ?? '', /down +1 s ago/);
  });

  test('--json is the answer of the API', async () => {
    const { stdout } = await fsched(['runs', '--json', '--state', 'failed', '--limit', '3'], answers);
    assert.deepEqual(JSON.parse(stdout), { runs: [run] });
  });

  test('asks for what was filtered', async () => {
    const { seen } = await fsched(['runs', '--state', 'failed', '--task', 'sort'], answers);
    assert.equal(seen.at(-1)?.request, `GET /runs?state=failed&limit=20&task_id=${task.task_id}`);
  });
});

describe('Ctrl-C while a run is waited for', () => {
  /** Ends it once the node was asked for `request`. */
  async function interrupted(
    args: readonly string[],
    answers: Readonly<Record<string, FakeAnswer>>,
    request: string,
  ) {
    await using node = await FakeNode.start(answers);
    const env = { PATH: process.env.PATH, HOME: folder };
    const child = spawn(process.execPath, [bundle.program, ...args, '--api', node.url], { env });
    const said = text(child.stderr);
    const ended = once(child, 'exit');
    await eventually(request, () => node.seen.some((seen) => seen.request.startsWith(request)));
    child.kill('SIGINT');
    const [exitCode] = await ended;
    return { exitCode, stderr: await said };
  }
  const asked = 'POST /controller/task/run';
  const waiting = { ...run, state: 'running', input_size: 1000, finished_at: null };

  test('says which run goes on, and how to end it', async () => {
    const answers = {
      'GET /tasks': tasks,
      [asked]: 'silence',
      'GET /runs': [200, { runs: [waiting] }],
    } as const;
    const { exitCode, stderr } = await interrupted(['run', 'sort', '1000'], answers, asked);
    assert.equal(exitCode, 130);
    assert.match(
      stderr,
      /interrupted; run run123 goes on: "fsched logs run123" follows it, "fsched cancel run123" ends it/,
    );
  });

  test('does not guess between two, and does not wait for a node that is silent', async () => {
    const two = [waiting, { ...waiting, run_id: 'run124' }];
    for (const runs of [[200, { runs: two }], 'silence'] as const) {
      const answers = { 'GET /tasks': tasks, [asked]: 'silence', 'GET /runs': runs } as const;
      const { exitCode, stderr } = await interrupted(['run', 'sort', '1000'], answers, asked);
      assert.equal(exitCode, 130);
      assert.match(stderr, /the run goes on if the node had taken it: "fsched runs" lists it/);
    }
  });
});

describe('run', () => {
  const answering = (answer: unknown): Readonly<Record<string, FakeAnswer>> => ({
    'GET /tasks': tasks,
    'POST /controller/task/run': [200, answer],
  });

  test("passes the program's output on, with a line about the run on standard error", async () => {
    const { exitCode, stdout, stderr, seen } = await fsched(
      ['run', 'sort', '1000'],
      answering({ result, mode: 'BENCHMARKED' }),
    );
    assert.equal(exitCode, 0);
    assert.equal(stdout, 'sorted\n');
    assert.match(stderr, /^a warning\nfsched: run run123 succeeded: exit 0, 1\.50 s, 4 ways, BENCHMARKED/);
    const sent = seen.at(-1);
    assert.deepEqual(JSON.parse(sent?.body ?? ''), {
      command: 'python3',
      task_id: task.task_id,
      input_size: 1000,
    });
    assert.match(String(sent?.headers['idempotency-key']), /^[0-9a-f-]{36}$/);
  });

  test('tells in a line why it got so many ways, and passes on what slowdown is allowed', async () => {
    const { stderr, seen } = await fsched(
      ['run', 'sort', '1000', '--max-slowdown', '1.2'],
      answering({ result, mode: 'BENCHMARKED' }),
    );
    assert.match(
      stderr,
      /\nfsched: 4 ways \(3 needed\) for 1\.05x: 1\.01x expected, 1\.03x at most, by fsched v2\n/,
    );
    assert.equal(JSON.parse(seen.at(-1)?.body ?? '').max_slowdown, 1.2);
    for (const wrong of ['0.9', '101', 'x', '-1', '1e1']) {
      const refused = await fsched(['run', 'sort', '1', `--max-slowdown=${wrong}`], {});
      assert.equal(refused.exitCode, 2, wrong);
      assert.match(refused.stderr, /^fsched: --max-slowdown: write a factor from 1 to 100/);
    }
  });

  test('ends with 1 when the program failed and 7 at its time limit', async () => {
    for (const [state, expected] of [
      ['failed', 1],
      ['timed_out', 7],
      ['lost', 1],
    ] as const) {
      const answer = { result: { ...result, state, error: 'It went wrong.' }, mode: 'ASSISTED' };
      const { exitCode, stderr } = await fsched(['run', 'sort', '1'], answering(answer));
      assert.equal(exitCode, expected, state);
      assert.match(stderr, /It went wrong/);
    }
  });

  test('says what to do when the task was never benchmarked', async () => {
    const { exitCode, stderr } = await fsched(
      ['run', 'sort', '9'],
      answering({ message: 'Task is not yet ready' }),
    );
    assert.equal(exitCode, 5);
    assert.match(stderr, /fsched benchmark sort 9/);
  });

  test('finds the task by id, beginning of an id or name', async () => {
    for (const wanted of [task.task_id, task.task_id.slice(0, 6), 'sort']) {
      const { seen } = await fsched(['run', wanted, '1'], answering({ result, mode: 'ASSISTED' }));
      assert.equal(JSON.parse(seen.at(-1)?.body ?? '').task_id, task.task_id, wanted);
    }
    assert.equal((await fsched(['run', '3f1c', '1'], answering({}))).exitCode, 2);
    assert.equal((await fsched(['run', 'nothing', '1'], answering({}))).exitCode, 6);
  });
});

describe('model', () => {
  const answers: Readonly<Record<string, FakeAnswer>> = {
    'GET /tasks': tasks,
    'GET /predictor/model': [200, model],
    'GET /predictor/explain': [200, explanation],
    'POST /predictor/model/select': [200, { message: 'version 1 is the current one', current: 1 }],
    'POST /predictor/model/train': [202, { message: 'training has begun', tasks: 4, points: 30 }],
  };
  const narrow = (text: string): void => {
    for (const line of text.split('\n')) assert.ok(displayWidth(line) <= 80, line);
  };

  test('shows what is in use, versions with scores, who holds which, and what was dropped', async () => {
    const { exitCode, stdout } = await fsched(['model'], answers);
    assert.equal(exitCode, 0);
    narrow(stdout);
    for (const fact of [
      /^model +fsched, version 2\nwhat it is +A learned model\.\ngenerosity +-0\.1$/m,
      /^current +version 2, held by 1 of 2 nodes$/m,
      /^training +running since 5 h, on 30 points of 4 tasks; last: version 2 was\n +accepted$/m,
      /^→ +2 +1 +0\.7 +0\.9 +96\.0 % +1\.10x +4 /m,
      /^Dropped.*\n.*\n +2 +0\.8 +0\.7 /m,
      /^alpha +up +version 2 +12D3/m,
      /^beta +down +no weights/m,
    ])
      assert.match(stdout, fact);
    const json = await fsched(['model', '--json'], answers);
    assert.deepEqual(JSON.parse(json.stdout), model);
  });

  test('explains a choice with a drawing, as JSON, and as a picture in a file', async () => {
    const { exitCode, stdout, seen } = await fsched(
      ['model', 'explain', 'sort', '1000', '--max-slowdown', '1.2'],
      answers,
    );
    assert.equal(exitCode, 0);
    narrow(stdout);
    assert.match(stdout, /● measured {3}━ expected {3}░ 5 to 95 % {3}│ chosen {3}╌ allowed/);
    assert.match(stdout, /^ways +3 of 4 × 1 MiB \(2 needed\)$/m);
    assert.match(stdout, /^known +2 points at 1000 by cachegrind; 1 point at 1000 by runs in held\n +ways$/m);
    assert.equal(
      seen.at(-1)?.request,
      `GET /predictor/explain?task_id=${task.task_id}&input_size=1000&max_slowdown=1.2`,
    );
    const json = await fsched(['model', 'explain', 'sort', '1000', '--json'], answers);
    assert.deepEqual(JSON.parse(json.stdout), explanation);

    const drawn: Readonly<Record<string, FakeAnswer>> = {
      ...answers,
      'GET /predictor/explain': [200, '<svg/>'],
    };
    const piped = await fsched(['model', 'explain', 'sort', '1000', '--svg', '-'], drawn);
    assert.deepEqual([piped.exitCode, piped.stdout], [0, '<svg/>']);
    assert.match(piped.seen.at(-1)?.request ?? '', /&format=svg$/);
    const file = join(folder, 'picture.svg');
    const saved = await fsched(['model', 'explain', 'sort', '1000', '--svg', file], answers);
    assert.equal(saved.exitCode, 0);
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), explanation, 'the bytes as they came');
    const nowhere = await fsched(
      ['model', 'explain', 'sort', '1', '--svg', join(folder, 'no', 'x')],
      answers,
    );
    assert.equal(nowhere.exitCode, 2);
    assert.match(nowhere.stderr, /--svg: the picture can't be written/);
  });

  test('tells a task that was never benchmarked without a drawing', async () => {
    const why = 'the task was never benchmarked';
    const inop = { ...explanation, mode: 'INOP', ways: 1, needed: null, why, slowdown: [], quantiles: [] };
    const nothing = {
      ...inop,
      measured: [],
      expected_slowdown: null,
      at_most: null,
      full_cache_seconds: null,
    };
    const { stdout } = await fsched(['model', 'explain', 'sort', '5'], {
      ...answers,
      'GET /predictor/explain': [200, nothing],
    });
    assert.match(
      stdout,
      /^sort at input size 1000\nways +1 of 4 × 1 MiB\nwhy +the task was never benchmarked\n/,
    );
    assert.match(stdout, /^known +nothing$/m);
  });

  test('selects and trains, and passes refusals on', async () => {
    const selected = await fsched(['model', 'select', '1'], answers);
    assert.deepEqual([selected.exitCode, selected.stdout], [0, 'version 1 is the current one\n']);
    assert.deepEqual(JSON.parse(selected.seen[0]?.body ?? ''), { version: 1 });
    assert.equal((await fsched(['model', 'select', 'x'], answers)).exitCode, 2);
    const begun = await fsched(['model', 'train', '--json'], answers);
    assert.equal(JSON.parse(begun.stdout).points, 30);
    const conflict = await fsched(['model', 'train'], {
      'POST /predictor/model/train': [409, { message: 'It is running.', code: 'CONFLICT' }],
    });
    assert.deepEqual([conflict.exitCode, conflict.stderr], [5, 'fsched: It is running.\n']);
    assert.equal((await fsched(['model', 'select', '9'], {})).exitCode, 6);
    assert.equal((await fsched(['model', 'explain', 'nothing', '9'], answers)).exitCode, 6);
  });
});

describe('other commands', () => {
  test('task upload streams the file as a form', async () => {
    const file = join(folder, 'sort.py');
    await writeFile(file, 'print("sorted")\n'.repeat(5000));
    const answers: Readonly<Record<string, FakeAnswer>> = {
      'POST /controller/task/new': [200, { task_id: 'new' }],
    };
    const { exitCode, stdout, seen } = await fsched(
      ['task', 'upload', file, '--command', 'python3'],
      answers,
    );
    assert.equal(exitCode, 0);
    assert.equal(stdout, 'new\n');
    const [sent] = seen;
    assert.equal(Number(sent?.headers['content-length']), sent?.body.length);
    const form = await new Response(sent?.body ?? '', {
      headers: { 'content-type': String(sent?.headers['content-type']) },
    }).formData();
    assert.equal(form.get('command'), 'python3');
    const uploaded = form.get('file');
    assert.ok(uploaded instanceof File);
    assert.equal(uploaded.name, 'sort.py');
    assert.equal(await uploaded.text(), 'print("sorted")\n'.repeat(5000));
  });

  test('a name that every object has is no command', async () => {
    for (const name of ['constructor', 'toString']) {
      const { exitCode, stderr } = await fsched([name], {});
      assert.equal(exitCode, 2);
      assert.match(stderr, /unknown command/);
    }
  });

  test('task upload sends the name of a file as it is, and refuses what is no file that it may read', async () => {
    const file = join(folder, 'a "name" of ü.py');
    await writeFile(file, 'x');
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { seen } = await fsched(['task', 'upload', file], {
      'POST /controller/task/new': [200, { task_id: 'new' }],
    });
    const type = String(seen[0]?.headers['content-type']);
    const form = await new Response(seen[0]?.body, { headers: { 'content-type': type } }).formData();
    assert.deepEqual([...form.keys()], ['file']);
    const sent = form.get('file');
    assert.ok(sent instanceof File);
    assert.equal(sent.name, 'a "name" of ü.py');
    for (const [path, why] of [
      [join(folder, 'none'), /^fsched: the file can't be read: ENOENT: .*none'\n$/],
      [folder, /is no file: give the path of one program file\n$/],
      [fifo, /is no file: give the path of one program file\n$/],
    ] as const) {
      const refused = await fsched(['task', 'upload', path], {});
      assert.deepEqual([refused.exitCode, refused.seen.length], [2, 0]);
      assert.match(refused.stderr, why);
    }
  });

  test('task upload ends when it is refused, though the node takes no more of it', {
    timeout: HANG_MS,
  }, async () => {
    const file = join(folder, 'large');
    await writeFile(file, Buffer.alloc(32 * 2 ** 20));
    // It would close the connection after five seconds by itself.
    const server = createServer({ keepAliveTimeout: 0 }, (_request, response) => {
      response.writeHead(413).end(JSON.stringify({ message: 'too large', code: 'TOO_LARGE' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ended = await bundle.run(['task', 'upload', file, '--api', `http://127.0.0.1:${port}`]);
    server.closeAllConnections();
    server.close();
    assert.deepEqual([ended.exitCode, ended.stderr], [5, 'fsched: too large\n']);
  });

  test('a message of a node cannot move the cursor', async () => {
    const { stderr } = await fsched(['model'], {
      'GET /predictor/model': [409, { message: 'a\u001b[2Jb', code: 'CONFLICT' }],
    });
    assert.equal(stderr, 'fsched: a�[2Jb\n');
  });

  test('benchmark shows the profile', async () => {
    const { exitCode, stdout } = await fsched(['benchmark', 'sort', '1000'], {
      'GET /tasks': tasks,
      'POST /controller/task/benchmark': [200, { message: 'Benchmarking was successful', exec_time: {} }],
      [`GET /tasks/${task.task_id}`]: [200, taskDetail],
    });
    assert.equal(exitCode, 0);
    assert.match(
      stdout,
      /successful\n +2\.00 x ┤●(?:.*\n)+? +└─+\n[ 16]+ways\ninput size 1000.*\nWAYS +TIME +SPREAD\n +1 +30\.0 ms +█+\n +16 +15\.0 ms +█+\n$/,
    );
  });

  test('submit prints the id, or waits and shows the result', async () => {
    const accepted = { run_id: 'run123', status_url: '/runs/run123', state: 'queued' };
    const first = await fsched(['submit', 'sort', '{"a":1}'], { 'POST /submit': [202, accepted] });
    assert.deepEqual([first.exitCode, first.stdout], [0, 'run123\n']);
    assert.deepEqual(JSON.parse(first.seen[0]?.body ?? ''), { function_name: 'sort', parameters: { a: 1 } });

    const waited = await fsched(['submit', 'sort', '--wait', '5s'], { 'POST /submit': [200, run] });
    assert.deepEqual([waited.exitCode, waited.stdout], [0, 'sorted\n']);
    assert.equal(waited.seen[0]?.request, 'POST /submit?wait=5');

    const late = await fsched(['submit', 'sort', '--wait', '5s'], { 'POST /submit': [202, accepted] });
    assert.equal(late.exitCode, 7);
    assert.equal((await fsched(['submit', 'sort', '{'], {})).exitCode, 2);
  });

  test('logs passes the bytes on and ends like the run', async () => {
    const { exitCode, stdout, seen } = await fsched(['logs', 'run123', '--follow'], {
      'GET /runs/run123': [200, { ...run, state: 'failed' }],
      'GET /runs/run123/output': [200, 'line\n'],
    });
    assert.deepEqual([exitCode, stdout], [1, 'line\n']);
    assert.equal(seen[1]?.request, 'GET /runs/run123/output?stream=stdout&follow=true');
  });

  test('logs gives up when --timeout is over, and not before', async () => {
    await using server = await serving(({ url }, response) => {
      if (url === '/runs/run123') response.end(JSON.stringify(run));
      else response.write('begun\n');
    });
    const args = ['logs', 'run123', '--follow', '--timeout', '300ms', '--api', server.url];
    const { exitCode, stdout, stderr } = await bundle.run(args);
    assert.deepEqual([exitCode, stdout], [7, 'begun\n'], stderr);
    assert.match(stderr, /did not answer within 300 ms/);
    assert.equal(server.asked, 2);
  });

  test('an empty id names nothing, were there only one', async () => {
    const answers: Readonly<Record<string, FakeAnswer>> = {
      'GET /runs': [200, { runs: [run] }],
      'GET /tasks': tasks,
      'GET /tokens': [200, { tokens: [joinToken] }],
      'GET /cluster/worker/list': [200, { a: cluster.members[0] }],
    };
    for (const command of [
      ['cancel'],
      ['logs'],
      ['task', 'show'],
      ['token', 'revoke'],
      ['token', 'rotate'],
      ['workers', 'remove'],
    ]) {
      const { exitCode, stderr, seen } = await fsched([...command, ''], answers);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, /an empty id names none of the (runs|tasks|tokens|workers)/);
      assert.ok(seen.every(({ request }) => request.startsWith('GET ')));
    }
  });

  test('cancel and workers remove find what is meant', async () => {
    const answers: Readonly<Record<string, FakeAnswer>> = {
      'GET /runs': [200, { runs: [run] }],
      'GET /runs/run123': [200, run],
      'DELETE /runs/run123': [200, { ...run, state: 'cancelled' }],
      'GET /cluster/worker/list': [
        200,
        Object.fromEntries(cluster.members.map((member) => [member.id, member])),
      ],
      [`DELETE /cluster/workers/${cluster.members[1]?.id}`]: [200, { message: 'removed' }],
    };
    assert.equal((await fsched(['cancel', 'run1'], answers)).stdout, 'run run123 is cancelled\n');
    assert.match(
      (await fsched(['workers', 'remove', 'beta'], answers)).stdout,
      /^beta .* no longer a member/,
    );
    assert.equal((await fsched(['workers', 'remove', 'nobody'], answers)).exitCode, 6);
  });
});

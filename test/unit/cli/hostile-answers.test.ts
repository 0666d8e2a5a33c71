/**
 * What answers may be anyone: a server that means harm, or an honest node that passes on what a program or a member
 * said. Nothing of it may move a person's cursor, hide text, turn the direction of writing or answer in their place.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { printable, printableJson, printableLines } from '../../../protocols/schema/text.ts';
import { cluster, explanation, health, model, result, run, task, taskDetail } from './fixtures.ts';
import { Bundle } from './run-cli.ts';

const ESC = '\u001b';
/** Clears the screen, sets the title, asks the terminal for an answer (CSI in C1), turns the line, hides, ends a line. */
const HARM = `${ESC}[2J${ESC}]0;owned\u0007\u009b6n\u202eexe\u2066\u200b\u200f\u061c\ufeff\u{e0041}\u007f\r\n\b`;
const HARMFUL_CHARACTERS =
  '\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\u{e0000}-\\u{e007f}';
const HARMFUL = new RegExp(`[${HARMFUL_CHARACTERS}]`, 'u');

/** Each string with harm in it; with `numbers` they are strings too. */
function poison(value: unknown, numbers: boolean): unknown {
  if (typeof value === 'string') return `${value}${HARM}`;
  if (typeof value === 'number') return numbers ? `${value}${HARM}` : value;
  if (Array.isArray(value)) return value.map((part) => poison(part, numbers));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, poison(part, numbers)]));
}

const madeToken = {
  id: '0123456789abcdef',
  kind: 'api',
  name: 'ci',
  state: 'valid',
  scope: 'read',
  role: null,
  uses: null,
  used: null,
  created_at: '2025-01-31T12:00:00.000Z',
  created_by: 'root',
  expires_at: null,
  revoked_at: null,
};
const auditEntry = {
  at: '2025-01-31T12:00:00.000Z',
  who: 'root',
  token_id: 'x',
  node: 'n',
  action: 'DELETE /cluster/workers/:id',
  subject: 'y',
};
const SVG = `<svg>${HARM}</svg>`;
const FACTS: Readonly<Record<string, unknown>> = {
  '/cluster': cluster,
  '/healthz': health,
  '/tasks': { tasks: [{ ...task, name: 'sort' }] },
  '/predictor/model': model,
  '/predictor/explain': explanation,
  '/cluster/worker/list': { a: cluster.members[0] },
  '/runs': { runs: [run] },
  '/tokens': { tokens: [madeToken], ...madeToken, token: 'fsa_0' },
  '/audit': { entries: [auditEntry] },
  '/submit': { run_id: 'run123', state: 'succeeded', result },
  '/controller/task/run': { result, mode: 'BENCHMARKED' },
};

function factOf(path: string): unknown {
  if (path in FACTS) return FACTS[path];
  if (/^\/tasks\/[^/]+$/.test(path)) return taskDetail;
  if (/^\/runs\/[^/]+$/.test(path)) return run;
  return { message: 'done' };
}

/** Answers everything, with harm; `numbers` and `refuses` are set by the test. */
class HostileServer implements AsyncDisposable {
  numbers = false;
  refuses = false;
  readonly #server: Server = createServer((request, response) => {
    request.resume();
    const url = new URL(request.url ?? '', 'http://x');
    if (this.refuses) {
      response.writeHead(409).end(JSON.stringify({ message: `no${HARM}`, code: `CONFLICT${HARM}` }));
    } else if (url.pathname.endsWith('/output')) response.end(`out${HARM}`);
    else if (url.searchParams.get('format') === 'svg') response.end(SVG);
    else {
      const fact = factOf(url.pathname);
      // Names that a command looks for stay what they are.
      const named = url.pathname === '/tasks' ? { name: 'sort', task_id: 't' } : {};
      const body = poison(fact, this.numbers) as { tasks?: object[] };
      if (body.tasks) body.tasks = body.tasks.map((each) => ({ ...each, ...named }));
      response.end(JSON.stringify(body));
    }
  });

  static async start(): Promise<HostileServer> {
    const server = new HostileServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let bundle: Bundle;
let hostile: HostileServer;
before(async () => {
  bundle = new Bundle();
  hostile = await HostileServer.start();
});
after(async () => {
  bundle[Symbol.dispose]();
  await hostile[Symbol.asyncDispose]();
});

const COMMANDS = [
  'status',
  'peers',
  'workers',
  'workers add 192.0.2.1',
  'workers remove alpha',
  'capacity',
  'task list',
  'task show sort',
  'benchmark sort 1000',
  'runs',
  'runs run123',
  'cancel run123',
  'model',
  'model explain sort 1000',
  'model select 1',
  'model train',
  'submit sort',
  'submit sort --wait 5s',
  'run sort 1000',
  'logs run123',
  'token list',
  'token create --name ci --scope read',
  'token revoke 0123456789abcdef',
  'audit',
];
const PRINTS_OUTPUT = new Set(['submit sort', 'submit sort --wait 5s', 'run sort 1000', 'logs run123']);

/** Whether numbers are harmful text, everything is refused, JSON is asked for. */
const TRIES = [
  [false, false, false],
  [false, false, true],
  [true, false, false],
  [false, true, false],
] as const;

const lines = (text: string) => text.replaceAll('\n', ' ');

describe('a hostile server', () => {
  for (const command of COMMANDS) {
    test(`says nothing to a terminal through fsched ${command}`, async () => {
      for (const [numbers, refuses, json] of TRIES) {
        Object.assign(hostile, { numbers, refuses });
        const args = [...command.split(' '), '--api', hostile.url, ...(json ? ['--json'] : [])];
        const { stdout, stderr } = await bundle.run(args, { FSCHED_DEBUG: numbers ? '1' : '' });
        const what = `${args.join(' ')}: ${JSON.stringify(stdout)} ${JSON.stringify(stderr)}`;
        // A program's output, standard error too, goes to a pipe as it is.
        if (!PRINTS_OUTPUT.has(command) || refuses) {
          assert.doesNotMatch(lines(stdout), HARMFUL, what);
          assert.doesNotMatch(lines(stderr), HARMFUL, what);
        }
        assert.notEqual(stdout + stderr, '', what);
      }
    });
  }

  test('loses nothing of its JSON, which is the same to a program', async () => {
    Object.assign(hostile, { numbers: false, refuses: false });
    const { stdout } = await bundle.run(['model', '--json', '--api', hostile.url]);
    assert.deepEqual(JSON.parse(stdout), poison(model, false));
  });

  test('is not listened to for ever', async () => {
    const endless = createServer((_request, response) => {
      const piece = Buffer.alloc(1024 ** 2, 0x20);
      const more = (): void => {
        if (!response.destroyed) response.write(piece, more);
      };
      response.writeHead(500);
      more();
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
      const { exitCode, stderr } = await bundle.run(['runs', '--api', url]);
      assert.equal(exitCode, 3);
      assert.match(stderr, /no fsched node/);
    } finally {
      endless.closeAllConnections();
      endless.close();
    }
  });
});

/** `script` gives the program a terminal, and shows what it wrote there. */
const hasTerminal = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0;

function atTerminal(args: readonly string[]): Promise<string> {
  const command = [process.execPath, bundle.program, ...args].map((word) => `'${word}'`).join(' ');
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', TERM: 'xterm' };
    execFile('script', ['-qec', command, '/dev/null'], { env }, (_error, stdout) => resolve(stdout));
  });
}

describe('what a program wrote', { skip: hasTerminal ? false : 'there is no working script(1) here' }, () => {
  // Lines end with CR LF at a terminal; progress is drawn in place by our own sequences.
  const OURS = new RegExp(`${ESC}\\[(\\d+A\\r${ESC}\\[J|\\d+m)|\\r\\n`, 'g');

  for (const command of COMMANDS) {
    test(`does nothing to the terminal of fsched ${command}`, async () => {
      Object.assign(hostile, { numbers: false, refuses: false });
      const shown = await atTerminal([...command.split(' '), '--api', hostile.url]);
      assert.doesNotMatch(lines(shown.replace(OURS, ' ')), HARMFUL, JSON.stringify(shown));
    });
  }

  test('reaches a pipe byte for byte', async () => {
    Object.assign(hostile, { numbers: false, refuses: false });
    assert.equal((await bundle.run(['logs', 'run123', '--api', hostile.url])).stdout, `out${HARM}`);
    const piped = await bundle.run(['run', 'sort', '1', '--api', hostile.url]);
    assert.equal(piped.stdout, `${result.stdout}${HARM}`);
  });

  test('stays readable at a terminal: text of all scripts, tabs, ends of lines', async () => {
    const text = 'a\tb\nüñ 日本 👩‍👩‍👧 می‌خواهم\n';
    assert.equal(printableLines(text), text);
    assert.equal(printableLines('a\r\nb\rc'), 'a\nb�c');
    assert.equal(printable(`${ESC}[31mred\u202e\u200b\u{e0041}`), '�[31mred���');
    const json = JSON.stringify({ a: HARM });
    assert.doesNotMatch(printableJson(json), HARMFUL);
    assert.deepEqual(JSON.parse(printableJson(json)), { a: HARM });
  });
});

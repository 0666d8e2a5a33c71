/** Tokens by the command line: which it shows to whom, and which it makes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import displayWidth from 'string-width';
import { findToken } from '../../../cli/api-token.ts';
import { apiToken, audit, cluster, health, joinToken, madeToken } from './fixtures.ts';
import { Bundle, type FakeAnswer, FakeNode } from './run-cli.ts';

let bundle: Bundle;
let folder: string;
before(async () => {
  bundle = new Bundle();
  folder = await mkdtemp(join(tmpdir(), 'fsched-cli-tokens-'));
});
after(async () => {
  bundle[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

type Answers = Readonly<Record<string, FakeAnswer>>;
const STATUS: Answers = { 'GET /cluster': [200, cluster], 'GET /healthz': [200, health] };

async function fsched(args: readonly string[], answers: Answers, environment = {}) {
  await using node = await FakeNode.start(answers);
  const ended = await bundle.run([...args, '--api', node.url], environment);
  return { ...ended, seen: node.seen };
}

describe('which token is shown', () => {
  const file = async (name: string, content: string) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  const dataDir = async (token: string) => {
    await mkdir(join(folder, 'data'), { recursive: true });
    await writeFile(join(folder, 'data', 'api-token'), `${token}\n`, { mode: 0o600 });
    return join(folder, 'data');
  };
  async function shown(args: readonly string[], environment: Record<string, string>) {
    const { seen, stderr } = await fsched(['peers', ...args], STATUS, environment);
    assert.equal(seen.length, 1, stderr);
    return seen[0]?.headers.authorization;
  }

  test('that of the flag, of the environment, of a file, of the node on this machine: the first there is', async () => {
    const environment: Record<string, string> = { FSCHED_DATA_DIR: await dataDir('of-the-node') };
    assert.equal(await shown([], environment), 'Bearer of-the-node');
    environment.FSCHED_API_TOKEN_FILE = await file('named', 'of-a-file\n');
    assert.equal(await shown([], environment), 'Bearer of-a-file');
    environment.FSCHED_API_TOKEN = ' of-the-environment\n';
    assert.equal(await shown([], environment), 'Bearer of-the-environment');
    const flag = ['--api-token-file', await file('flag', 'of-the-flag')];
    assert.equal(await shown(flag, environment), 'Bearer of-the-flag');
  });

  test('none where there is none', async () => {
    assert.equal(await shown([], {}), undefined);
    assert.equal(
      await shown([], { FSCHED_DATA_DIR: join(folder, 'nowhere'), FSCHED_API_TOKEN: '' }),
      undefined,
    );
    await mkdir(join(folder, 'odd', 'api-token'), { recursive: true });
    assert.equal(await shown([], { FSCHED_DATA_DIR: join(folder, 'odd') }), undefined);
  });

  test('what was named and is no token is said, and nobody asked', async () => {
    for (const environment of [
      { FSCHED_API_TOKEN_FILE: join(folder, 'nowhere') },
      { FSCHED_API_TOKEN: 'two words' },
      { FSCHED_API_TOKEN_FILE: await file('empty', '') },
    ]) {
      const { seen, exitCode, stderr } = await fsched(['peers'], STATUS, environment);
      assert.deepEqual([seen.length, exitCode], [0, 2], stderr);
      assert.match(stderr, new RegExp(Object.keys(environment)[0] as string));
      assert.doesNotMatch(stderr, /two words/);
    }
  });

  test("a node's own token goes to no other machine", async () => {
    const data = await dataDir('of-the-node');
    // Reached by a name that is not the loopback's own: for all that is known, it may be elsewhere.
    await using node = await FakeNode.start(STATUS);
    const port = new URL(node.url).port;
    for (const api of [`http://0.0.0.0:${port}`, `http://0:${port}`]) {
      await bundle.run(['peers', '--api', api], { FSCHED_DATA_DIR: data });
    }
    for (const { headers } of node.seen) assert.equal(headers.authorization, undefined);
  });

  test('nor to another user who listens where the node did', {
    skip: process.geteuid?.() !== 0,
  }, async () => {
    const data = await dataDir('of-the-node');
    // The port is known once it was free.
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    const script = `use IO::Socket::INET; $| = 1;
      my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => ${port}, ReuseAddr => 1) or die;
      print "ready\\n"; while (my $c = $s->accept) { while (<$c>) { print; last if /^\\r\\n/ }
      print $c "HTTP/1.1 401 Unauthorized\\r\\nConnection: close\\r\\n\\r\\n"; close $c }`;
    const squatter = spawn('setpriv', ['--reuid', '54321', '--clear-groups', 'perl', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let heard = '';
    squatter.stdout.on('data', (piece) => {
      heard += piece;
    });
    await once(squatter.stdout, 'data');
    const { stderr } = await bundle.run(['peers', '--api', `http://127.0.0.1:${port}`], {
      FSCHED_DATA_DIR: data,
    });
    squatter.kill();
    assert.match(stderr, /is not shown to what listens at 127\.0\.0\.1:\d+: it runs as user 54321/);
    assert.match(heard, /GET \/cluster/);
    assert.doesNotMatch(heard, /of-the-node|authorization/i);
  });

  test('nor where nobody listens: whoever comes to would be told it', async () => {
    const api = new URL('http://127.0.0.1:1');
    const environment = { FSCHED_DATA_DIR: await dataDir('of-the-node') };
    assert.equal(await findToken(api, { file: null, environment }), null);
  });

  test('a token that nobody may read is none', { skip: process.geteuid?.() === 0 }, async () => {
    const data = await dataDir('of-the-node');
    await chmod(join(data, 'api-token'), 0);
    assert.equal(await shown([], { FSCHED_DATA_DIR: data }), undefined);
  });
});

describe('fsched token', () => {
  const MADE: Answers = { 'POST /tokens': [201, madeToken] };

  test('prints the token alone, and all else elsewhere', async () => {
    const { stdout, stderr, seen } = await fsched(['token', 'create', '--name', 'ci'], MADE);
    assert.equal(stdout, `${madeToken.token}\n`);
    assert.match(stderr, /token 3f1c9a52d0e84b6f for the API with the scope submit, good until 2025-05-01/);
    assert.ok(!stderr.includes(madeToken.token));
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), { kind: 'api', name: 'ci' });
    const { stdout: json } = await fsched(['token', 'create', '--json'], MADE);
    assert.deepEqual(JSON.parse(json), madeToken);
  });

  test('asks for what was said', async () => {
    const asked = async (...args: string[]) => {
      const { seen, stderr } = await fsched(['token', 'create', ...args], MADE);
      assert.equal(seen.length, 1, stderr);
      return JSON.parse(seen[0]?.body ?? '');
    };
    assert.deepEqual(await asked('--scope', 'admin', '--ttl', '90d'), {
      kind: 'api',
      scope: 'admin',
      ttl_seconds: 7_776_000,
    });
    assert.deepEqual(await asked('--join', '--role', 'worker', '--uses', '3', '--ttl', '24h'), {
      kind: 'join',
      role: 'worker',
      uses: 3,
      ttl_seconds: 86_400,
    });
    assert.deepEqual(await asked('--join', '--uses', 'unlimited', '--ttl', 'never'), {
      kind: 'join',
      uses: null,
      ttl_seconds: null,
    });
  });

  test('refuses what makes no sense before it asks', async () => {
    for (const args of [
      ['create', '--uses', '3'],
      ['create', '--role', 'voter'],
      ['create', '--join', '--scope', 'read'],
      ['create', '--scope', 'root'],
      ['create', '--ttl', '30'],
      ['create', '--ttl', 'soon'],
      ['create', '--join', '--uses', 'many'],
      ['revoke', madeToken.token],
      ['revoke', '3f'],
    ]) {
      const answers: Answers = { 'GET /tokens': [200, { tokens: [apiToken, joinToken] }] };
      const { exitCode, seen, stderr } = await fsched(['token', ...args], answers);
      assert.equal(exitCode, 2, `${args}: ${stderr}`);
      assert.ok(!seen.some(({ request }) => !request.startsWith('GET /tokens')));
      assert.ok(!stderr.includes(madeToken.token));
    }
  });

  test('lists, revokes and rotates by the beginning of an id', async () => {
    const answers: Answers = {
      'GET /tokens': [200, { tokens: [apiToken, joinToken] }],
      [`DELETE /tokens/${apiToken.id}`]: [200, { ...apiToken, state: 'revoked' }],
      [`POST /tokens/${joinToken.id}/rotate`]: [201, { ...joinToken, token: 'fsj_new' }],
    };
    for (const args of [['token'], ['token', 'list']]) {
      const { stdout } = await fsched(args, answers);
      for (const line of stdout.split('\n')) assert.ok(displayWidth(line) <= 80, line);
      assert.match(stdout, /3f1c9a52d0e84b6f +api +submit +ci +active +2025-05-01/);
      assert.match(stdout, /3f00000000000000 +join +worker +rack 7 +3\/3 +used_up +never/);
    }
    assert.match((await fsched(['token', 'revoke', '3f1c'], answers)).stdout, /\(ci\) is revoked/);
    const rotated = await fsched(['token', 'rotate', '3f00'], answers);
    assert.equal(rotated.stdout, 'fsj_new\n');
    assert.match(rotated.stderr, /for 3 nodes as worker, good until it is revoked/);
    assert.equal((await fsched(['token', 'revoke', 'ffff'], answers)).exitCode, 6);
  });
});

test('fsched audit tells who did what, as far back as was asked', async () => {
  const answers: Answers = { 'GET /audit': [200, audit] };
  const { stdout, seen } = await fsched(['audit', '--since', '24h', '--limit', '5'], answers);
  assert.match(stdout, /WHEN +WHO +NODE +DID +TO/);
  assert.match(stdout, /2025-01-31 \d\d:\d\d +somebody/);
  for (const line of stdout.split('\n')) assert.ok(displayWidth(line) <= 80, line);
  const query = new URL(seen[0]?.request.split(' ')[1] ?? '', 'http://x').searchParams;
  assert.equal(query.get('limit'), '5');
  const ago = Date.now() - Date.parse(query.get('since') ?? '');
  assert.ok(ago >= 86_400_000 && ago < 86_400_000 + 600_000);
  const exact = await fsched(['audit', '--since', '2025-01-31T12:00:00Z', '--json'], answers);
  assert.match(exact.seen[0]?.request ?? '', /since=2025-01-31T12%3A00%3A00Z/);
  assert.deepEqual(JSON.parse(exact.stdout), audit);
});

/** Who may use the API of real daemons: programs from inside, other users, bearers of tokens. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { tokenId } from '../../protocols/proof/token-keys.ts';
import { TestCluster } from '../support/daemon-process.ts';

const BUNDLE = join(import.meta.dirname, '../../dist/fsched.js');
const SANDBOXES = ['auto', 'off'] as const;

/** Tries what a program must not: reads the token, looks, submits, uploads, removes a member, makes a token. */
const intruder = (url: string, tokenFile: string): string => `
head -c 4 '${tokenFile}' 2>/dev/null || echo unread
echo
ask() { echo "$1 $(curl -s -o /dev/null -w '%{http_code}' --max-time 20 -X "$@")"; }
for api in '${url}' '${url.replace('127.0.0.1', '[::ffff:127.0.0.1]')}'; do
  ask GET $api/tasks
  ask GET $api/metrics
  ask POST $api/submit -d '{"function_name": "intruder"}'
  ask POST -F file=@$0 $api/controller/task/new
  ask DELETE $api/cluster/workers/x
  ask POST $api/tokens -d '{"kind": "api", "scope": "admin"}'
done
`;

describe('a program that asks the API of its node', () => {
  for (const sandbox of SANDBOXES) {
    test(`gets nothing with --sandbox ${sandbox}`, async () => {
      await using cluster = await TestCluster.of(1, ['--sandbox', sandbox]);
      const { first } = cluster;
      await first.upload('intruder.sh', intruder(first.rest, first.apiTokenFile), { command: 'sh' });
      const body = { function_name: 'intruder', parameters: { input_size: 1 } };
      const { json } = await first.post('/submit?wait=300', body);
      assert.equal(json.state, 'succeeded', JSON.stringify(json));
      const [token, ...lines] = json.result.stdout.trim().split(/\s*\n/);
      // Without a sandbox a program of the daemon's own user can read its files; the start warns of that.
      if (!first.logs.includes('programs run as the user of this node')) assert.equal(token, 'unread');
      assert.equal(lines.length, 12, json.result.stdout);
      // 000: the network is off, so there is nobody to ask.
      for (const line of lines) assert.match(line, json.result.isolation.network ? / 401$/ : / 000$/);
      assert.equal((await first.get('/runs')).json.runs.length, 1);
    });
  }
});

test('a fresh node makes a token for its owner only, tells nobody, and keeps it', async () => {
  await using cluster = await TestCluster.of(1);
  const { first } = cluster;
  const token = (await readFile(first.apiTokenFile, 'utf8')).trim();
  assert.match(token, /^fsa_[0-9a-f]{64}$/);
  assert.equal((await stat(first.apiTokenFile)).mode & 0o777, 0o600);
  const authorization = `Bearer ${token}`;
  assert.equal((await first.request('/cluster', { headers: { authorization } })).status, 200);
  await first.kill('SIGTERM');
  await first.start(['--log-level', 'debug']);
  assert.equal((await first.request('/cluster', { headers: { authorization } })).status, 200);
  for (const path of [
    `/tasks?x=${token}`,
    `/tasks/${token}`,
    `/nothing/${token}`,
    `/tasks?token=%66${token.slice(1)}`,
  ])
    await first.request(path);
  assert.equal((await readFile(first.apiTokenFile, 'utf8')).trim(), token);
  await first.kill('SIGTERM');
  assert.match(first.logs, /"url":"\/tasks\?x=…"/);
  assert.ok(!first.logs.includes(token.slice(1)));
});

test('the token of each node holds at each other, and goes with its member', async () => {
  await using cluster = await TestCluster.of(3);
  const master = await cluster.master();
  const follower = await cluster.follower();
  const authorization = `Bearer ${(await readFile(follower.apiTokenFile, 'utf8')).trim()}`;
  for (const node of cluster.nodes)
    assert.equal((await node.request('/cluster', { headers: { authorization } })).status, 200, node.name);
  assert.equal((await master.request(`/cluster/workers/${follower.peer}`, { method: 'DELETE' })).status, 200);
  const stranger = await master.request('/cluster', { headers: { authorization } });
  assert.equal(stranger.status, 401, JSON.stringify(stranger.json));
});

test('--api-token-file names another place for it', async () => {
  await using cluster = await TestCluster.create();
  const folder = await mkdtemp(join(tmpdir(), 'fsched-token-'));
  const file = join(folder, 'token');
  await writeFile(file, 'a-token-of-sixteen-or-more\n', { mode: 0o600 });
  const first = await cluster.add(['--api-token-file', file]);
  await rm(folder, { recursive: true });
  const authorization = 'Bearer a-token-of-sixteen-or-more';
  assert.equal((await first.request('/cluster', { headers: { authorization } })).status, 200);
});

test('a token works everywhere as soon as it is told, as far as its scope goes, and nowhere once it is revoked', async () => {
  await using cluster = await TestCluster.of(3, ['--log-level', 'debug']);
  const [master, follower] = [await cluster.master(), await cluster.follower()];
  const fsched = async (...args: string[]) =>
    (
      await promisify(execFile)(process.execPath, [BUNDLE, ...args], { env: follower.environment })
    ).stdout.trim();
  const statuses = (path: string, token: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return Promise.all(
      cluster.nodes.map(async (node) => (await node.fetch(path, { ...init, headers })).status),
    );
  };
  const reader = await fsched('token', 'create', '--scope', 'read', '--name', 'dashboard');
  assert.match(reader, /^fsa_[0-9a-f]{64}$/);
  assert.deepEqual(await statuses('/cluster', reader), [200, 200, 200]);
  assert.deepEqual(await statuses('/metrics', reader), [200, 200, 200]);
  for (const [method, path, body] of [
    ['POST', '/submit', { function_name: 'f' }],
    ['POST', '/predictor/model/select', { version: 0 }],
    ['POST', '/tokens', { kind: 'api', scope: 'admin' }],
    ['DELETE', `/cluster/workers/${follower.peer}`, undefined],
  ] as const) {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    assert.deepEqual(await statuses(path, reader, init), [403, 403, 403], path);
  }

  const id = tokenId(reader);
  const next = await fsched('token', 'rotate', id);
  assert.deepEqual(await statuses('/cluster', reader), [401, 401, 401]);
  assert.deepEqual(await statuses('/cluster', next), [200, 200, 200]);
  await fsched('token', 'revoke', tokenId(next));
  assert.deepEqual(await statuses('/cluster', next), [401, 401, 401]);

  const { entries } = JSON.parse(await fsched('audit', '--json'));
  const deeds = entries.map((entry: Record<string, string>) => [
    entry.action,
    entry.subject,
    entry.node,
    entry.who,
  ]);
  const by = [follower.peer, `node ${follower.name}`];
  assert.deepEqual(deeds, [
    ['DELETE /tokens/:id', tokenId(next), ...by],
    ['POST /tokens/:id/rotate', id, ...by],
    ['POST /tokens', 'api read "dashboard"', ...by],
  ]);

  await cluster.untilTablesAreEqual();
  for (const node of cluster.nodes) {
    await node.kill('SIGTERM');
    for (const token of [reader, next]) {
      assert.ok(!node.logs.includes(token.slice(4)), node.name);
      for (const file of await readdir(join(node.dataDir, 'log'))) {
        const kept = await readFile(join(node.dataDir, 'log', file), 'latin1');
        assert.ok(!kept.includes(token.slice(4, 36)), `${node.name} ${file}`);
      }
    }
  }
  assert.notEqual(master, follower);
});

test('a machine that only carries out runs submits, and has no say among members and tokens', async () => {
  await using cluster = await TestCluster.of(1);
  const { first } = cluster;
  const made = await first.post('/tokens', { kind: 'join', role: 'worker' });
  assert.equal(made.status, 201, JSON.stringify(made.json));
  const folder = await mkdtemp(join(tmpdir(), 'fsched-token-'));
  const file = join(folder, 'token');
  await writeFile(file, made.json.token, { mode: 0o600 });
  const worker = await cluster.add(['--join', first.meshTarget, '--token-file', file]);
  await rm(folder, { recursive: true });
  assert.equal((await worker.get('/tasks')).status, 200);
  assert.equal((await worker.post('/submit', { function_name: 'f' })).status, 404);
  for (const [method, path, body] of [
    ['DELETE', `/cluster/workers/${first.peer}`, null],
    ['POST', '/tokens', { kind: 'api', scope: 'admin' }],
    ['POST', '/predictor/model/select', { version: 0 }],
    ['GET', '/audit', null],
  ] as const) {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    const headers = { 'content-type': 'application/json' };
    // By its own token at its own door, and at the master's.
    assert.equal((await worker.request(path, { ...init, headers })).status, 403, path);
    const authorization = `Bearer ${(await readFile(worker.apiTokenFile, 'utf8')).trim()}`;
    const atMaster = await first.request(path, { ...init, headers: { ...headers, authorization } });
    assert.equal(atMaster.status, 403, path);
  }
  const removed = await first.request(`/cluster/workers/${worker.peer}`, { method: 'DELETE' });
  assert.deepEqual(removed.json, {
    message: 'worker node successfully removed',
    revoked_tokens: [made.json.id],
  });
});

describe('the curl lines of the original', () => {
  test('need no token of who runs the node, where programs run as others', async () => {
    await using cluster = await TestCluster.of(1);
    const { first } = cluster;
    const curl = (...args: string[]) =>
      new Promise<string>((resolve) => {
        execFile('curl', ['-s', ...args], (_error, stdout) => resolve(stdout));
      });
    const asked = first.logs.includes('on loopback this user is asked for a token');
    const answer = await curl(`${first.rest}/scheduler/generosity`);
    assert.match(answer, asked ? /UNAUTHORIZED/ : /^\{"generosity":/);
  });
});

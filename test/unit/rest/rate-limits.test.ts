import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fail } from '../../../protocols/schema/outcome.ts';
import { FakeBackend } from './fake-backend.ts';
import { nobodyTrusted, other, type Reply, type Rest, startRest } from './harness.ts';

/** Five in five seconds: a test is faster. */
const FEW = { rateLimit: 1 };
const MOST = 5;

async function statuses(rest: Rest, times: number, headers = {}, path = '/tasks'): Promise<number[]> {
  const replies: Reply[] = [];
  for (let time = 0; time < times; time += 1) replies.push(await rest.call('GET', path, undefined, headers));
  return replies.map(({ status }) => status);
}
const times = (count: number, status: number) => Array<number>(count).fill(status);

describe('how often callers may ask', () => {
  test('a flood with one token is refused with a time to wait, and hurts no other token', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    const [greedy, modest] = [
      rest.backend.addToken('a'.repeat(32), 'read'),
      rest.backend.addToken('b'.repeat(32), 'read'),
    ];
    assert.deepEqual(await statuses(rest, MOST + 3, greedy), [...times(MOST, 200), ...times(3, 429)]);
    const refused = await rest.call('GET', '/tasks', undefined, greedy);
    assert.equal(refused.json.code, 'RATE_LIMITED', 'told apart from a full queue');
    const wait = Number(refused.headers['retry-after']);
    assert.ok(wait >= 1 && wait <= 5, String(wait));
    assert.deepEqual(await statuses(rest, MOST, modest), times(MOST, 200));
  });

  test('who asks too much else still sees how the node is', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    const greedy = rest.backend.addToken('a'.repeat(32), 'read');
    await statuses(rest, MOST + 1, greedy);
    assert.deepEqual(await statuses(rest, MOST, greedy, '/healthz'), times(MOST, 200));
    assert.equal((await rest.call('GET', '/healthz', undefined, greedy)).status, 429, 'which is counted too');
  });

  test('a flood of strangers behind a proxy does not keep the proxy from seeing that the node is well', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    assert.deepEqual(await statuses(rest, 3 * MOST, {}, '/healthz'), times(3 * MOST, 200));
    const wrong = { authorization: `Bearer ${'x'.repeat(20)}` };
    assert.deepEqual((await statuses(rest, MOST + 1, wrong, '/healthz')).at(-1), 429, 'a guess is a guess');
    assert.deepEqual(await statuses(rest, 1, {}, '/healthz'), [200]);
    assert.deepEqual((await statuses(rest, MOST + 1, {}, '/openapi.json')).at(-1), 429);
  });

  test('strangers and wrong tokens are counted by their address, and lock nobody out', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    const guess = (index: number) => ({ authorization: `Bearer ${'x'.repeat(20)}${index}` });
    const heard: number[] = [];
    for (let index = 0; index < MOST + 2; index += 1)
      heard.push((await rest.call('GET', '/tasks', undefined, guess(index))).status);
    assert.deepEqual(heard, [...times(MOST, 401), 429, 429], 'each guess being another token helps nothing');
    assert.deepEqual(await statuses(rest, 1), [429]);
    const right = rest.backend.addToken('a'.repeat(32), 'read');
    assert.deepEqual(await statuses(rest, MOST, right), times(MOST, 200), 'from the same address');
  });

  test('a wrong token is counted before it is waited for, and once', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    let waited = 0;
    rest.backend.bearer = async (_token, mayWait) => {
      await mayWait();
      waited += 1;
      return fail('UNKNOWN_TOKEN');
    };
    const guess = { authorization: `Bearer ${'x'.repeat(20)}` };
    assert.deepEqual(await statuses(rest, MOST + 2, guess), [...times(MOST, 401), 429, 429]);
    assert.equal(waited, MOST);
  });

  test('a token that may hold but can not be waited for is not called wrong', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    rest.backend.bearers.set('new', fail('UNDECIDED'));
    const reply = await rest.call('GET', '/tasks', undefined, { authorization: 'Bearer new' });
    assert.deepEqual([reply.status, reply.headers['retry-after']], [503, '1']);
  });

  test('what is not there is counted as well', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    const token = rest.backend.addToken('a'.repeat(32), 'read');
    assert.deepEqual(await statuses(rest, MOST + 1, token, '/nowhere'), [...times(MOST, 404), 429]);
  });

  test('what is no path, or too long an id, is answered to whom is known only, counted and measured', async () => {
    await using rest = await startRest(FEW, new FakeBackend(), { trusts: nobodyTrusted });
    const tokens = ['a', 'b', 'c'].map((letter) => rest.backend.addToken(letter.repeat(32), 'read'));
    for (const [path, index, status] of [
      ['/tasks/%zz', 0, 400],
      [`/tasks/${'x'.repeat(600)}`, 1, 404],
    ] as const) {
      assert.equal((await rest.call('GET', path)).status, 401);
      assert.deepEqual(await statuses(rest, MOST + 1, tokens[index], path), [...times(MOST, status), 429]);
    }
    const { text } = await rest.call('GET', '/metrics', undefined, tokens[2]);
    assert.match(text, /request_duration_seconds_count\{method="GET",route="unknown",status="400"\} 5/);
  });

  test('trusted users of the machine may ask as often as they like, and everybody with none', async () => {
    await using rest = await startRest(FEW);
    assert.deepEqual(await statuses(rest, 3 * MOST), times(3 * MOST, 200));
    await using free = await startRest({ rateLimit: null }, new FakeBackend(), { trusts: nobodyTrusted });
    const token = free.backend.addToken('a'.repeat(32), 'read');
    assert.deepEqual(await statuses(free, 3 * MOST, token), times(3 * MOST, 200));
  });
});

describe('over the mesh', () => {
  test('a request is counted for its caller where it came in, not again at the master', async () => {
    await using master = await startRest(FEW);
    const backend = new FakeBackend();
    await using node = await startRest({ rateLimit: null }, backend, { trusts: nobodyTrusted });
    backend.authorityNow = other(master);
    const token = master.backend.addToken('a'.repeat(32), 'read');
    backend.addToken('a'.repeat(32), 'read');
    assert.deepEqual(await statuses(node, 2 * MOST, token), times(2 * MOST, 200));
  });

  test('a member that floods is refused in the end, whatever tokens it shows', async () => {
    await using master = await startRest(FEW);
    const backend = new FakeBackend();
    await using node = await startRest({ rateLimit: null }, backend, { trusts: nobodyTrusted });
    backend.authorityNow = other(master);
    const heard: number[] = [];
    for (let index = 0; index < 20 * MOST + 2; index += 1) {
      const token = `${'a'.repeat(20)}${index}`;
      const headers = backend.addToken(token, 'read');
      master.backend.addToken(token, 'read');
      heard.push((await node.call('GET', '/tasks', undefined, headers)).status);
    }
    assert.deepEqual(heard, [...times(20 * MOST, 200), 429, 429]);
  });
});

/** Who gets in: tokens, members, trusted users, and who tries to look like one of them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import type { Authority } from '../../../node/rest/backend.ts';
import { LocalCallers, trustedUsers } from '../../../node/rest/local-callers.ts';
import { SocketOwners } from '../../../node/socket-owners.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { SCOPES, type Scope } from '../../../protocols/schema/token.ts';
import { localUser, nobodyTrusted, other, type Rest, sendRaw, startRest } from './harness.ts';
import { SCOPE_OF } from './routes.ts';

const strangers = () => startRest({}, undefined, { trusts: nobodyTrusted });
const ROUTES = Object.entries(SCOPE_OF).map(([route, needed]) => {
  const [method, path] = route.split(' ') as [string, string];
  return { route, method, path: path.replaceAll(/\{\w+\}/g, 'x'), needed };
});
const SUBMIT = { function_name: 'f' };

/** Nothing that changes anything has reached the node. */
function assertUntouched({ backend }: Rest): void {
  assert.deepEqual(
    [backend.submissions, backend.runRequests, backend.uploads, backend.selected],
    [[], [], [], []],
  );
}

describe('tokens', () => {
  test('a stranger gets nothing but a word of health and the description of the API', async () => {
    await using rest = await strangers();
    for (const { route, method, path, needed } of ROUTES) {
      const reply = await rest.call(method, path, method === 'POST' ? SUBMIT : undefined);
      assert.equal(reply.status, needed === 'anyone' ? 200 : 401, route);
      if (needed === 'anyone') continue;
      assert.equal(reply.headers['www-authenticate'], 'Bearer realm="fsched"');
      assert.match(String(reply.json.message), /Authorization: Bearer TOKEN.*fsched token create/);
    }
    assert.deepEqual((await rest.call('GET', '/healthz')).json, { status: 'ok' });
    // Nor is it told what there is.
    assert.equal((await rest.call('GET', '/nope')).status, 401);
    assert.equal((await rest.call('PUT', '/tasks')).status, 401);
    assertUntouched(rest);
  });

  test('on every route a token counts as far as its scope goes, and 403 names what is missing', async () => {
    await using rest = await strangers();
    const headers = Object.fromEntries(SCOPES.map((scope) => [scope, rest.backend.addToken(scope, scope)]));
    for (const { route, method, path, needed } of ROUTES) {
      for (const [rank, scope] of SCOPES.entries()) {
        const reply = await rest.call(method, path, method === 'POST' ? {} : undefined, headers[scope]);
        const fits = needed === 'anyone' || rank >= SCOPES.indexOf(needed);
        assert.equal([401, 403].includes(reply.status), !fits, `${route} with ${scope}: ${reply.status}`);
        if (fits) continue;
        assert.equal(reply.status, 403, route);
        assert.match(
          reply.text,
          new RegExp(`needs the scope \\\\"${needed}\\\\".*has \\\\"${scope}\\\\"`),
          route,
        );
        assert.match(String(reply.headers['www-authenticate']), /error="insufficient_scope"/);
      }
    }
  });

  test('a token that does not hold is 401 on every route, also where none is needed, and also for root', async () => {
    await using rest = await startRest();
    rest.backend.bearers.set('gone', fail('REVOKED'));
    rest.backend.bearers.set('late', fail('EXPIRED'));
    rest.backend.addToken('secret', 'admin');
    const bad: readonly [string, RegExp][] = [
      ['Bearer gone', /was revoked/],
      ['Bearer late', /has expired/],
      ['Bearer secre', /is wrong/],
      ['Bearer secrets', /is wrong/],
      ['Basic secret', /kind that this API does not know/],
      ['secret', /kind that/],
      ['Bearer', /kind that/],
    ];
    for (const [authorization, message] of bad) {
      for (const { route, method, path } of ROUTES.filter((each) => each.method !== 'HEAD')) {
        const reply = await rest.call(method, path, method === 'POST' ? SUBMIT : undefined, {
          authorization,
        });
        assert.equal(reply.status, 401, `${route} ${authorization}`);
        assert.match(String(reply.json.message), message, route);
      }
    }
    assertUntouched(rest);
    const good = { authorization: 'bearer  secret' };
    assert.equal((await rest.call('GET', '/tasks', undefined, good)).status, 200);
  });

  test('a token in the URL is none', async () => {
    await using rest = await strangers();
    rest.backend.addToken('secret', 'admin');
    for (const query of ['access_token=secret', 'token=secret', 'authorization=Bearer%20secret'])
      assert.equal((await rest.call('GET', `/tasks?${query}`)).status, 401, query);
  });

  test('with a token, any Host and Origin will do', async () => {
    await using rest = await strangers();
    const headers = { host: 'node.example.org', origin: 'http://page.example.org' };
    const token = rest.backend.addToken('secret', 'read');
    assert.equal((await rest.call('GET', '/tasks', undefined, { ...headers, ...token })).status, 200);
  });
});

describe('users of this machine', () => {
  test('whom they are taken for', () => {
    const users = (own: number, asDaemon: boolean) => [...trustedUsers(own, asDaemon)];
    assert.deepEqual(users(1000, false), [0, 1000]);
    assert.deepEqual(users(0, false), [0]);
    // Programs run as the daemon's user: it tells nobody apart.
    assert.deepEqual(users(1000, true), [0]);
    assert.deepEqual(users(0, true), []);
    // As this user all are shown whom the kernel can't tell the daemon of.
    assert.deepEqual(users(65_534, false), [0]);
  });

  test('their requests need no token, over IPv4, IPv6, both in one, and one connection', async () => {
    await using rest = await startRest({ host: '::' });
    for (const host of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) {
      const status = await new Promise((resolve, reject) => {
        request({ host, port: rest.port, path: '/tasks' }, (answer) => resolve(answer.resume().statusCode))
          .on('error', reject)
          .end();
      });
      assert.equal(status, 200, host);
    }
    const twice = 'GET /tasks HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2);
    const heard = await sendRaw(rest.port, twice, /200 OK.*200 OK/s);
    assert.equal(heard.match(/200 OK/g)?.length, 2);
  });

  test('a connection is looked up once', async () => {
    let asked = 0;
    const owners = {
      ownerOf: async () => {
        asked += 1;
        return 0;
      },
    };
    await using rest = await startRest({}, undefined, {
      trusts: localUser(new LocalCallers({ trusted: () => new Set([0]) }, { owners })),
    });
    await sendRaw(rest.port, 'GET /tasks HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5), /(200 OK.*){5}/s);
    assert.equal(asked, 1);
  });

  test('another user gets nothing, however it asks', { skip: process.geteuid?.() !== 0 }, async () => {
    await using rest = await startRest({ host: '::' });
    const asOther = (args: readonly string[], input = '') =>
      new Promise<string>((resolve) => {
        const words = [
          '--reuid',
          '54321',
          '--regid',
          '54321',
          '--clear-groups',
          'curl',
          '-s',
          '--max-time',
          '20',
        ];
        execFile('setpriv', [...words, ...args], (_error, stdout) => resolve(stdout)).stdin?.end(input);
      });
    const api = `http://127.0.0.1:${rest.port}`;
    const attempts = [
      [`${api}/submit`, '-d', JSON.stringify(SUBMIT)],
      [`http://[::1]:${rest.port}/submit`, '-d', JSON.stringify(SUBMIT)],
      [`http://[::ffff:127.0.0.1]:${rest.port}/submit`, '-d', JSON.stringify(SUBMIT)],
      ['-X', 'DELETE', `${api}/cluster/workers/node-b`],
      ['-F', 'file=@/etc/hostname', `${api}/controller/task/new`],
      ['-H', 'X-Forwarded-For: 127.0.0.1', '-H', 'Host: localhost', `${api}/tasks`],
      ['-H', 'Authorization: Bearer guess', `${api}/tasks`],
    ];
    for (const attempt of attempts)
      assert.match(await asOther(attempt), /"code":"UNAUTHORIZED"/, attempt.join(' '));
    assertUntouched(rest);
    rest.backend.addToken('given', 'submit');
    const answer = await asOther([
      '-H',
      'Authorization: Bearer given',
      `${api}/submit`,
      '-d',
      JSON.stringify(SUBMIT),
    ]);
    assert.match(answer, /"run_id"/);
  });

  test('beyond loopback they need a token, too', async () => {
    const [address] = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    if (address === undefined) return;
    await using rest = await startRest({ host: '0.0.0.0' });
    const get = (headers = {}) =>
      new Promise((resolve, reject) => {
        const options = { host: address.address, port: rest.port, path: '/tasks', headers };
        request(options, (answer) => resolve(answer.resume().statusCode))
          .on('error', reject)
          .end();
      });
    assert.equal(await get(), 401);
    assert.equal(await get(rest.backend.addToken('secret', 'read')), 200);
  });

  test('who asks through a proxy on this machine is not its user', async () => {
    await using rest = await startRest();
    const forwarded = ['for', 'proto', 'host', 'port', 'server'].map((what) => `x-forwarded-${what}`);
    for (const header of ['forwarded', 'via', 'x-real-ip', ...forwarded])
      assert.equal(
        (await rest.call('GET', '/tasks', undefined, { [header]: '10.9.8.7' })).status,
        401,
        header,
      );
  });

  test('on a machine whose node may not do everything neither may they', async () => {
    await using rest = await startRest();
    rest.backend.scopes.set('node-a', 'submit');
    assert.equal((await rest.call('POST', '/submit', SUBMIT)).status, 202);
    const reply = await rest.call('DELETE', '/cluster/workers/x');
    assert.equal(reply.status, 403);
    assert.match(reply.text, /needs the scope \\"admin\\"/);
  });

  test('nobody is trusted where the tables of sockets can not be read', async () => {
    const owners = new SocketOwners({ ipv4: '/proc/none', ipv6: '/proc/none' });
    await using rest = await startRest({}, undefined, {
      trusts: localUser(
        new LocalCallers({ trusted: () => trustedUsers(process.geteuid?.() ?? -1, false) }, { owners }),
      ),
    });
    assert.equal((await rest.call('GET', '/tasks')).status, 401);
  });
});

describe('over the mesh', () => {
  /** A master, and a member that passes on whatever it is asked. */
  async function pair(from: string, atFollower: Scope = 'admin') {
    const master = await strangers();
    const follower = await startRest();
    follower.backend.scopes.set('node-a', atFollower);
    const authority = other(master, 'node-m', from);
    let sent = '';
    const spy: Authority = {
      ...authority,
      open: async () => {
        const stream = await authority.open();
        const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
        stream.write = (chunk: Uint8Array | string, ...rest: unknown[]) => {
          sent += Buffer.from(chunk as string).toString();
          return write(chunk, ...rest);
        };
        return stream;
      },
    };
    follower.backend.authorityNow = spy;
    const close = async () => void (await Promise.all([follower.server.stop(), master.server.stop()]));
    return { master, follower, sent: () => sent, [Symbol.asyncDispose]: close };
  }

  test('a member is checked like anybody: a worker may submit, and not remove members', async () => {
    await using nodes = await pair('node-b');
    const { follower, master } = nodes;
    assert.equal((await follower.call('POST', '/submit', SUBMIT)).status, 202);
    const reply = await follower.call('DELETE', '/cluster/workers/x');
    assert.deepEqual([reply.status, reply.headers['fsched-served-by']], [403, 'node-m']);
    assert.equal((await follower.call('POST', '/predictor/model/select', { version: 0 })).status, 403);
    assert.deepEqual(master.backend.selected, []);
  });

  test('a node that is no member, or not any more, is a stranger', async () => {
    await using nodes = await pair('node-x');
    assert.equal((await nodes.follower.call('POST', '/submit', SUBMIT)).status, 401);
    assertUntouched(nodes.master);
  });

  test('a token goes on with its request and is checked by who answers', async () => {
    await using nodes = await pair('node-a');
    const { follower, master, sent } = nodes;
    const token = follower.backend.addToken('of-a-person', 'admin');
    // The follower has not heard yet that it was revoked.
    master.backend.bearers.set('of-a-person', fail('REVOKED'));
    assert.equal((await follower.call('DELETE', '/cluster/workers/x', undefined, token)).status, 401);
    // Nor does the caller become the member by hiding it on the way.
    for (const connection of ['authorization', 'close, Authorization'])
      assert.equal(
        (await follower.call('DELETE', '/cluster/workers/x', undefined, { ...token, connection })).status,
        401,
      );
    master.backend.addToken('of-a-person', 'submit');
    assert.equal((await follower.call('DELETE', '/cluster/workers/x', undefined, token)).status, 403);
    assert.equal((await follower.call('POST', '/submit', SUBMIT, token)).status, 202);
    assert.match(sent(), /authorization: Bearer of-a-person/i);
  });

  test("a node's own token stays on its machine: the other end knows the node", async () => {
    await using nodes = await pair('node-a');
    const { follower, sent } = nodes;
    const own = { scope: 'admin', tokenId: '0'.repeat(16), who: 'node a', trusted: true } as const;
    follower.backend.bearers.set('own', succeed(own));
    const headers = { authorization: 'Bearer own' };
    assert.equal((await follower.call('DELETE', '/cluster/workers/x', undefined, headers)).status, 200);
    assert.doesNotMatch(sent(), /authorization/i);
  });

  test('no header makes a request from this machine one of a member', async () => {
    await using rest = await strangers();
    const headers = { 'fsched-served-by': 'node-a', 'fsched-not-master': '1', from: 'node-a' };
    assert.equal((await rest.call('POST', '/submit', SUBMIT, headers)).status, 401);
  });
});

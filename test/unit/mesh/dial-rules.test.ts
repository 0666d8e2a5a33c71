import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:net';
import { describe, test } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { DialRules, parseNetwork } from '../../../node/dial-rules.ts';
import { dialable } from '../../../node/mesh/dialable.ts';
import { eventually } from '../../support/eventually.ts';
import { Fleet } from './fleet.ts';

const rules = (listen = '/ip4/192.0.2.1/tcp/8300', ...allowed: string[]) =>
  new DialRules({ listen, allowed });

const NO_MEMBER_IS_THERE = [
  '0.0.0.0',
  '0.1.2.3',
  '169.254.0.1',
  '169.254.169.254',
  '100.100.100.200',
  '168.63.129.16',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::169.254.169.254',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'ff02::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::7f00:1',
  '64:ff9b::ffff:ffff',
  '2002:a9fe:a9fe::1',
  '2002:7f00:1::',
];
const LOOPBACK = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'];

describe('what is dialled for others', () => {
  for (const address of [...NO_MEMBER_IS_THERE, ...LOOPBACK]) {
    test(`not ${address}, unless it is allowed`, () => {
      assert.equal(rules().permits(address), false);
      assert.equal(rules('/ip4/0.0.0.0/tcp/8300').permits(address), false, 'all interfaces are not loopback');
      const everything = rules('/ip4/192.0.2.1/tcp/1', '0.0.0.0/0', '::/0');
      assert.equal(everything.permits(address), true);
    });
  }

  for (const address of [
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.10',
    '192.0.2.7',
    '100.64.0.1',
    '8.8.8.8',
    '2001:db8::1',
    'fd12:3456::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
  ]) {
    test(`${address}, where a member may be`, () => assert.equal(rules().permits(address), true));
  }

  test('loopback by those who listen there, who still dial no metadata', () => {
    for (const listen of ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1']) {
      for (const address of LOOPBACK) assert.equal(rules(listen).permits(address), true, address);
      assert.equal(rules(listen).permits('169.254.169.254'), false);
    }
  });

  test('only what was allowed is allowed', () => {
    const some = rules('/ip4/192.0.2.1/tcp/1', '169.254.7.0/24');
    assert.equal(some.permits('169.254.7.9'), true);
    assert.equal(some.permits('169.254.169.254'), false);
    assert.equal(some.permits('localhost'), false, 'a name is no address');
  });

  test('networks are read whole or not at all', () => {
    assert.deepEqual(parseNetwork('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8, family: 'ipv4' });
    assert.equal(parseNetwork('::1')?.prefix, 128);
    for (const wrong of ['', '10.0.0.0/33', '10.0.0/8', '::/129', 'localhost', '10.0.0.0/8/8', '10.0.0.1/-1'])
      assert.equal(parseNetwork(wrong), null, wrong);
  });
});

describe('a name', () => {
  test('is resolved once, and what it gave is checked and dialled: rebinding gains nothing', async () => {
    const answers = [['192.0.2.9', '169.254.169.254', '2001:db8::2', '127.0.0.1'], ['169.254.169.254']];
    let asked = 0;
    const resolve = async () => answers[asked++] ?? [];
    const given = await dialable(multiaddr('/dns/rebind.example/tcp/80'), rules(), resolve);
    assert.deepEqual(given.map(String), ['/ip4/192.0.2.9/tcp/80', '/ip6/2001:db8::2/tcp/80']);
    assert.equal(asked, 1);
    assert.deepEqual(await dialable(multiaddr('/dns4/rebind.example/tcp/80'), rules(), resolve), []);
  });

  test('keeps its peer id', async () => {
    const peer = '12D3KooWPqKrzVDKy2kExtuhbUhXZ8bMJu8XxXVwvm65dFGY4tri';
    const given = await dialable(multiaddr(`/dns/a.example/tcp/80/p2p/${peer}`), rules(), async () => [
      '192.0.2.9',
    ]);
    assert.deepEqual(given.map(String), [`/ip4/192.0.2.9/tcp/80/p2p/${peer}`]);
  });
});

test('what is more or other than TCP to one machine is not dialled', async () => {
  for (const address of [
    '/unix/%2Frun%2Fdocker.sock',
    '/ip4/192.0.2.1/udp/80',
    '/ip4/192.0.2.1/tcp/80/ws',
    '/ip6zone/eth0/ip6/fe80::1/tcp/80',
    '/dnsaddr/example.org',
  ]) {
    assert.deepEqual(await dialable(multiaddr(address), rules(), async () => ['192.0.2.1']), [], address);
  }
});

/** A service that counts who connects to it. */
async function victim(): Promise<Server & { readonly visits: () => number; readonly port: number }> {
  let visits = 0;
  const server = createServer((socket) => {
    visits += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return Object.assign(server, { visits: () => visits, port });
}

test('a member whose row names a service on the loopback of others sends nobody there', async () => {
  const service = await victim();
  try {
    // Listens beyond loopback, as nodes of a cluster do; it can reach its own loopback all the same.
    await using fleet = await Fleet.of(1, { listen: '/ip4/0.0.0.0/tcp/0' });
    await using liars = await Fleet.of(1);
    const { mesh } = fleet.at(0);
    const liar = liars.at(0).mesh.id;
    const row = { id: liar, addresses: [`/ip4/127.0.0.1/tcp/${service.port}`] };
    mesh.setCluster('test', [row, { id: mesh.id, addresses: [] }]);
    await eventually('three tries', () => (mesh.peers()[0]?.redial?.attempts ?? 0) >= 3);
    assert.equal(service.visits(), 0);

    const invitation = { type: 'invite', clusterId: 'test', members: [] } as const;
    const joined = await mesh.join(`localhost:${service.port}`, invitation);
    assert.equal(joined.ok ? '' : joined.error.code, 'FORBIDDEN');
    assert.equal(service.visits(), 0);
  } finally {
    service.close();
  }
});

test('what the operator wrote is dialled wherever it is', async () => {
  const service = await victim();
  const target = `127.0.0.1:${service.port}`;
  try {
    await using fleet = await Fleet.of(1, { listen: '/ip4/0.0.0.0/tcp/0', trustedTargets: [target] });
    const invitation = { type: 'invite', clusterId: 'test', members: [] } as const;
    await fleet.at(0).mesh.join(target, invitation);
    assert.equal(service.visits(), 1);
  } finally {
    service.close();
  }
});

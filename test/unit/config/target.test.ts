import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTarget } from '../../../node/addresses.ts';

const PEER = '12D3KooWPqKrzVDKy2kExtuhbUhXZ8bMJu8XxXVwvm65dFGY4tri';

for (const [target, expected] of [
  ['192.0.2.1', '/ip4/192.0.2.1/tcp/8300'],
  ['192.0.2.1:9', '/ip4/192.0.2.1/tcp/9'],
  ['[2001:db8::1]', '/ip6/2001:db8::1/tcp/8300'],
  ['[2001:db8::1]:8301', '/ip6/2001:db8::1/tcp/8301'],
  ['2001:db8::1', '/ip6/2001:db8::1/tcp/8300'],
  ['node-7.example', '/dns/node-7.example/tcp/8300'],
  ['localhost:8301', '/dns/localhost/tcp/8301'],
  [' localhost ', '/dns/localhost/tcp/8300'],
  ['/ip4/192.0.2.1/tcp/7', '/ip4/192.0.2.1/tcp/7'],
  [`/ip4/192.0.2.1/tcp/7/p2p/${PEER}`, `/ip4/192.0.2.1/tcp/7/p2p/${PEER}`],
] as const) {
  test(`${target} is ${expected}`, async () => {
    const parsed = await parseTarget(target);
    assert.equal(parsed.ok && parsed.value.toString(), expected);
  });
}

for (const target of [
  '',
  ':',
  ':80',
  'a:',
  'a:0',
  'a:65536',
  'a:x',
  'a b',
  '-a',
  '256.1.1.1',
  '[::1',
  '[x]:1',
  '[::1]8300',
  'http://a',
  '/',
  '/ip4/192.0.2.1',
  '/ip4/192.0.2.1/udp/7',
  '/nonsense/1',
]) {
  test(`"${target}" is refused with a sentence`, async () => {
    const parsed = await parseTarget(target);
    assert.equal(parsed.ok, false);
    assert.match(parsed.ok ? '' : parsed.error, /^write HOST, .*, not "/);
  });
}

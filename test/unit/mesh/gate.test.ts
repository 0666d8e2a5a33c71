import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MultiaddrConnection, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Allowance } from '../../../node/mesh/allowance.ts';
import { FairRoom } from '../../../node/mesh/fair-room.ts';
import { Gate } from '../../../node/mesh/gate.ts';
import { MAX_HANDSHAKES, MAX_STRANGERS } from '../../../node/mesh/libp2p-settings.ts';
import { sourceOf } from '../../../node/mesh/source.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('a room', () => {
  test('makes the longest of the source with the most give way', () => {
    const room = new FairRoom<string>(4);
    for (const name of ['b1', 'a1', 'a2', 'a3']) assert.equal(room.enter(name.slice(0, 1), name), null);
    assert.equal(room.enter('c', 'c1'), 'a1');
    assert.equal(room.enter('a', 'a4'), 'a2', 'who takes many places takes them from itself');
    assert.equal(room.size, 4);
  });

  test('lets in who comes alone, where everybody has one place', () => {
    const room = new FairRoom<string>(2);
    room.enter('a', 'a1');
    room.enter('b', 'b1');
    assert.equal(room.enter('c', 'c1'), 'a1');
  });

  test('has the place again of who has left, and not twice', () => {
    const room = new FairRoom<string>(1);
    room.enter('a', 'a1');
    room.leave('a', 'a1');
    room.leave('a', 'a1');
    assert.equal(room.enter('b', 'b1'), null);
    assert.equal(room.enter('b', 'b1'), null, 'who is in is in once');
    assert.equal(room.size, 1);
  });
});

test('an allowance is used up, grows again with time, and is of each by itself', () => {
  const clock = new FakeClock();
  const allowance = new Allowance({ burst: 3, perSecond: 2 }, { clock });
  const taken = (key: string, times: number) =>
    Array.from({ length: times }, () => allowance.take(key)).filter(Boolean).length;
  assert.equal(taken('a', 10), 3);
  assert.equal(taken('b', 10), 3);
  clock.advance(500);
  assert.equal(taken('a', 10), 1);
  clock.advance(60_000);
  assert.equal(taken('a', 10), 3);
  assert.equal(allowance.take('c', 2.5), true);
  assert.equal(allowance.take('c', 1), false, 'half of one is left');
  assert.equal(allowance.take('c', 0.5), true);
  // Keys are free; what is remembered of them is not.
  for (let key = 0; key < 5000; key += 1) allowance.take(`key ${key}`);
  assert.equal(taken('key 4999', 10), 2);
  assert.equal(taken('key 0', 10), 3, 'the longest unused is forgotten');
});

test('a source is an IPv4 address, or the network of an IPv6 address', () => {
  for (const [address, source] of [
    ['/ip4/192.0.2.1/tcp/1', '192.0.2.1'],
    ['/ip4/192.0.2.1/tcp/2', '192.0.2.1'],
    ['/ip6/2001:db8:1:2:3:4:5:6/tcp/1', '2001:db8:1:2::/64'],
    ['/ip6/2001:db8:1:2::9/tcp/1', '2001:db8:1:2::/64'],
    ['/ip6/2001:db8::1/tcp/1', '2001:db8:0:0::/64'],
    ['/ip6/::1/tcp/1', '0:0:0:0::/64'],
  ] as const) {
    assert.equal(sourceOf({ remoteAddr: multiaddr(address) }), source, address);
  }
});

/** An inbound connection as the gate sees it. */
class Arrival extends EventTarget {
  readonly remoteAddr;
  aborted = false;
  constructor(host: string) {
    super();
    this.remoteAddr = multiaddr(`/ip4/${host}/tcp/1`);
  }
  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event('close'));
  }
  send(bytes: number): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: new Uint8Array(bytes) }));
  }
}

function setUp() {
  const clock = new FakeClock();
  const gate = new Gate({ clock, isMember: (id) => id.startsWith('member') });
  const { gater } = gate;
  const call = (arrival: Arrival) => gater.denyInboundConnection?.(arrival as unknown as MultiaddrConnection);
  const identify = (arrival: Arrival, id: string) =>
    gater.denyInboundEncryptedConnection?.(
      { toString: () => id } as PeerId,
      arrival as unknown as MultiaddrConnection,
    );
  /** Through Noise as `id`; null when it was turned away before. */
  const come = (host: string, id: string): Arrival | null => {
    const arrival = new Arrival(host);
    if (call(arrival) !== false) return null;
    assert.equal(identify(arrival, id), false);
    return arrival;
  };
  return { clock, gate, call, come };
}

describe('the gate', () => {
  test('lets no source begin more handshakes than it may, and others all the same', () => {
    const { clock, call } = setUp();
    const begun = Array.from({ length: 2000 }, () => call(new Arrival('192.0.2.1')) === false);
    const count = begun.filter(Boolean).length;
    assert.ok(count >= 200 && count < 500, `${count} handshakes at once`);
    assert.equal(call(new Arrival('192.0.2.2')), false);
    clock.advance(1000);
    assert.equal(call(new Arrival('192.0.2.1')), false, 'nobody is locked out');
  });

  test('makes who says nothing give way to who comes later', () => {
    const { clock, call, come } = setUp();
    const silent: Arrival[] = [];
    while (silent.length < 2 * MAX_HANDSHAKES) {
      const arrival = new Arrival('192.0.2.1');
      if (call(arrival) === false) silent.push(arrival);
      clock.advance(20);
    }
    const open = silent.filter(({ aborted }) => !aborted);
    assert.deepEqual(
      [open.length, silent[0]?.aborted, silent.at(-1)?.aborted],
      [MAX_HANDSHAKES, true, false],
    );
    assert.ok(come('192.0.2.1', 'stranger'), 'a joiner behind the same address');
    assert.ok(come('192.0.2.2', 'member'));
  });

  test('counts connections of strangers, not their ids, and those of members not at all', () => {
    const { clock, come } = setUp();
    const arrivals: (Arrival | null)[] = [];
    for (let count = 0; count < 2 * MAX_STRANGERS; count += 1) {
      arrivals.push(come('192.0.2.1', count % 2 === 0 ? 'one' : `other ${count}`));
      clock.advance(20);
    }
    assert.equal(arrivals.filter((arrival) => arrival?.aborted === false).length, MAX_STRANGERS);
    const joiner = come('192.0.2.2', 'joiner');
    for (let count = 0; count < 200; count += 1) {
      come('192.0.2.1', `more ${count}`);
      clock.advance(20);
    }
    assert.equal(joiner?.aborted, false, 'one from another address keeps its place');
  });

  test('makes the oldest of a member give way, and of others none', () => {
    const { come } = setUp();
    const other = come('192.0.2.3', 'member too');
    const members = Array.from({ length: 200 }, () => come('192.0.2.3', 'member'));
    const open = members.map((member) => member?.aborted === false);
    assert.equal(open.filter(Boolean).length, 8);
    assert.deepEqual([open[0], open.at(-1), other?.aborted], [false, true, false]);
  });

  test('cuts off a stranger that sends much, until it has proved that it knows a token', () => {
    const { gate, come } = setUp();
    const [flood, joiner, member] = ['flood', 'joiner', 'member'].map((id) => come('192.0.2.1', id));
    for (let count = 0; count < 10; count += 1) {
      joiner?.send(10_000);
      if (flood?.aborted === false) flood.send(100_000);
    }
    assert.deepEqual([flood?.aborted, joiner?.aborted], [true, false]);
    gate.welcome('joiner');
    for (const welcome of [joiner, member]) welcome?.send(100_000_000);
    assert.deepEqual([joiner?.aborted, member?.aborted], [false, false]);
  });

  test('gives the place of who is welcome to the next', () => {
    const { gate, clock, come } = setUp();
    const first = come('192.0.2.1', 'joiner');
    gate.welcome('joiner');
    for (let count = 0; count < 2 * MAX_STRANGERS; count += 1) {
      come('192.0.2.1', `other ${count}`);
      clock.advance(20);
    }
    assert.equal(first?.aborted, false);
  });
});

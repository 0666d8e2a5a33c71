import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redialer } from '../../../node/mesh/redialer.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** With `random` as jitter, and every dial recorded by its moment. */
function chasing(random: number) {
  const clock = new FakeClock(1000);
  const start = clock.monotonicMs();
  const dials: number[] = [];
  const redialer = new Redialer({
    clock,
    random: { next: () => random, id: () => '' },
    dial: async () => {
      dials.push(clock.monotonicMs() - start);
      return false;
    },
  });
  /** Lets the promise of the dial that failed settle between two steps. */
  const advance = async (byMs: number, stepMs = 50) => {
    for (let at = 0; at < byMs; at += stepMs) {
      clock.advance(stepMs);
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  return { clock, dials, redialer, advance };
}

test('it tries at once, then ever more seldom, and never gives up', async () => {
  const { dials, redialer, advance } = chasing(0.999);
  redialer.chaseNow('a');
  await advance(3_600_000, 250);
  assert.equal(dials[0], 0);
  const gaps = dials.slice(1).map((at, index) => at - (dials[index] ?? 0));
  assert.ok(gaps.length > 200, `${gaps.length} tries in an hour`);
  assert.ok(gaps.slice(0, 6).every((gap, index) => index === 0 || gap > (gaps[index - 1] ?? 0)));
  assert.ok(gaps.slice(8).every((gap) => gap >= 14_500 && gap <= 15_500));
});

test('news of a peer (an address changed) makes the next try at once', async () => {
  const { dials, redialer, advance } = chasing(0.999);
  redialer.chaseNow('a');
  await advance(60_000);
  const before = dials.length;
  redialer.chaseNow('a');
  await advance(50);
  assert.equal(dials.length, before + 1);
});

test('who is reached or forgotten is not dialled again', async () => {
  const { dials, redialer, advance, clock } = chasing(0.5);
  redialer.chaseNow('a');
  redialer.chaseNow('b');
  await advance(50);
  redialer.reached('a');
  redialer.forget('b');
  assert.equal(redialer.state('a'), null);
  assert.equal(redialer.state('b'), null);
  const before = dials.length;
  await advance(60_000);
  assert.equal(dials.length, before);
  assert.deepEqual(clock.pending(), []);
});

test('a connection that is closed again at once does not reset the back-off', async () => {
  const { redialer, advance } = chasing(0.999);
  for (let round = 0; round < 5; round += 1) {
    redialer.lost('a');
    redialer.reached('a');
  }
  redialer.lost('a');
  assert.equal(redialer.state('a')?.attempts, 5);
  redialer.reached('a');
  await advance(6000);
  redialer.lost('a');
  assert.equal(redialer.state('a')?.attempts, 0, 'one that lasted does');
});

test('stop leaves no timer behind', () => {
  const { clock, redialer } = chasing(0.5);
  redialer.chaseNow('a');
  redialer.lost('b');
  redialer.stop();
  assert.deepEqual(clock.pending(), []);
});

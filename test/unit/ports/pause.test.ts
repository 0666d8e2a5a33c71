import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { pause } from '../../../node/pause.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A pause of one second, and whether it is over. */
function watched(clock: FakeClock, signal?: AbortSignal) {
  const state = { over: false };
  const ended = pause(clock, 1000, signal).then(() => {
    state.over = true;
  });
  return { ended, state };
}

test('a pause lasts as long as it was asked to', async () => {
  const clock = new FakeClock(1000);
  const { ended, state } = watched(clock);
  clock.advance(999);
  await Promise.resolve();
  assert.equal(state.over, false);
  clock.advance(1);
  await ended;
});

test('an abort ends it, before or while it lasts, and nothing is left behind', async () => {
  const clock = new FakeClock(1000);
  await pause(clock, 1000, AbortSignal.abort());
  const controller = new AbortController();
  const { ended } = watched(clock, controller.signal);
  controller.abort();
  await ended;
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('one that ends by itself no longer listens to its signal', async () => {
  const clock = new FakeClock(1000);
  const { signal } = new AbortController();
  const { ended } = watched(clock, signal);
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  clock.advance(1000);
  await ended;
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

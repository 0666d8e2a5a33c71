import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BanList } from '../../../node/mesh/ban-list.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('the third wrong try bans a peer, and nobody else, for five minutes', () => {
  const clock = new FakeClock(1000);
  const bans = new BanList({ clock });
  assert.equal(bans.recordWrongTry('a'), false);
  assert.equal(bans.recordWrongTry('a'), false);
  assert.equal(bans.isBanned('a'), false);
  assert.equal(bans.recordWrongTry('a'), true);
  assert.equal(bans.isBanned('a'), true);
  assert.equal(bans.isBanned('b'), false);
  clock.advance(299_999);
  assert.equal(bans.isBanned('a'), true);
  clock.advance(1);
  assert.equal(bans.isBanned('a'), false);
  assert.equal(bans.recordWrongTry('a'), false, 'the count starts anew');
});

test('a right token wipes out the wrong ones before it', () => {
  const bans = new BanList({ clock: new FakeClock(1000) });
  bans.recordWrongTry('a');
  bans.recordWrongTry('a');
  bans.forgive('a');
  assert.equal(bans.recordWrongTry('a'), false);
});

test('guessing under ever new ids takes bounded memory, and the oldest is forgotten first', () => {
  const bans = new BanList({ clock: new FakeClock(1000) });
  for (let index = 0; index < 5000; index += 1) {
    for (let tries = 0; tries < 3; tries += 1) bans.recordWrongTry(`id-${index}`);
  }
  assert.equal(bans.isBanned('id-0'), false);
  assert.equal(bans.isBanned('id-4999'), true);
});

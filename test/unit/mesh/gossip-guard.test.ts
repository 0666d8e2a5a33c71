import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GossipGuard } from '../../../node/mesh/gossip-guard.ts';
import { MAX_MESSAGE_BYTES } from '../../../protocols/gossip/index.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

function setUp(authors = 3) {
  const clock = new FakeClock();
  const mutes: [string, boolean][] = [];
  const lines: object[] = [];
  const guard = new GossipGuard({
    clock,
    logger: { ...silentLogger, warn: (fields) => lines.push(fields) },
    authors: () => authors,
    onMute: (...mute) => mutes.push(mute),
  });
  return { clock, guard, mutes, lines };
}
const times = (count: number, ask: () => boolean): number =>
  Array.from({ length: count }, ask).filter(Boolean).length;

test('of ten thousand notices a second of one author some dozens are heard, and others all the same', () => {
  const { clock, guard } = setUp();
  let heard = 0;
  for (let second = 0; second < 10; second += 1) {
    heard += times(10_000, () => guard.mayHear('liar', 500));
    assert.ok(guard.mayHear('honest', 500));
    clock.advance(1000);
  }
  assert.ok(heard > 100 && heard < 1000, `${heard} of 100,000`);
});

test('the longest notice is heard, and only every few seconds', () => {
  const { clock, guard } = setUp();
  assert.equal(
    times(10, () => guard.mayHear('a', MAX_MESSAGE_BYTES)),
    1,
  );
  clock.advance(1000);
  assert.equal(guard.mayHear('a', MAX_MESSAGE_BYTES), false);
  clock.advance(10_000);
  assert.equal(guard.mayHear('a', MAX_MESSAGE_BYTES), true);
});

test('what this node may say, others hear', () => {
  const { clock, guard } = setUp();
  for (const bytes of [300, 3_000, 120_000]) {
    const said = { count: 0, heard: 0 };
    for (let round = 0; round < 2000; round += 1) {
      if (guard.maySay(bytes)) {
        said.count += 1;
        if (guard.mayHear(`self ${bytes}`, bytes)) said.heard += 1;
      }
      clock.advance(50);
    }
    assert.equal(said.heard, said.count, `${bytes} bytes`);
    assert.ok(said.count >= 60, `${said.count} times ${bytes} bytes in 100 s`);
  }
});

test('a neighbour that passes on all that each may say is listened to, for as long as it likes', () => {
  const { clock, guard, mutes } = setUp(4);
  for (let second = 0; second < 120; second += 1) {
    for (let message = 0; message < 4 * 32; message += 1) {
      guard.brought('relay', 500);
      guard.received('relay', 700);
    }
    clock.advance(1000);
  }
  assert.deepEqual(mutes, []);
});

test('one that floods is not, for a minute, and its flood is one line of the log', () => {
  const { clock, guard, mutes, lines } = setUp();
  let brought = 0;
  while (!guard.isMuted('flood')) {
    guard.brought('flood', 200);
    brought += 1;
  }
  assert.ok(brought < 5_000, `${brought} messages`);
  for (let message = 0; message < 10_000; message += 1) guard.brought('flood', 200);
  assert.deepEqual([mutes, lines.length], [[['flood', true]], 1]);
  clock.advance(60_000);
  assert.deepEqual(mutes.at(-1), ['flood', false]);
  assert.equal(guard.isMuted('flood'), false);
});

test('nor is one whose bytes are no messages at all', () => {
  const { guard } = setUp();
  for (let chunk = 0; chunk < 100 && !guard.isMuted('flood'); chunk += 1) guard.received('flood', 1024 ** 2);
  assert.ok(guard.isMuted('flood'));
});

test('what the log is told of one author is bounded', () => {
  const { guard } = setUp();
  assert.equal(
    times(1000, () => guard.mayLog('liar')),
    3,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNREFERENCED_MS } from '../../../node/store/blob-keeper.ts';
import { PushIntake } from '../../../node/store/push-intake.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const MAX_BYTES = 1000;
const sha = (index: number): string => index.toString(16).padStart(64, '0');

function setUp() {
  const clock = new FakeClock();
  const named = new Set<string>();
  const intake = new PushIntake(
    { maxBytes: MAX_BYTES },
    { keeper: { named: () => named }, isMaster: async (id) => id === 'master', clock },
  );
  const push = async (index: number, size: number, from = 'master'): Promise<boolean> =>
    (await intake.refuse(from, sha(index), size)) === null;
  return { intake, clock, named, push };
}

test('only the master pushes, and nothing larger than the largest file', async () => {
  const { intake, push } = setUp();
  assert.equal(await push(1, MAX_BYTES), true);
  assert.equal(await push(2, 1, 'a member'), false);
  assert.equal(await push(3, MAX_BYTES + 1), false);
  assert.equal((await intake.refuse('master', sha(4), 1024 ** 4))?.code, 'REFUSED');
});

test('what is never committed fills no disk: four of the largest files, then no more for an hour', async () => {
  const { intake, clock, push } = setUp();
  for (let index = 0; index < 4; index += 1) {
    assert.equal(await push(index, MAX_BYTES), true);
    intake.settle(sha(index), true);
  }
  assert.equal(await push(9, 1), false);
  assert.equal(await push(0, MAX_BYTES), true, 'one that is here is not more');
  intake.settle(sha(0), true);
  clock.advance(UNREFERENCED_MS + 1);
  assert.equal(await push(9, 1), true);
});

test('what was committed, and what did not come, makes room', async () => {
  const { intake, named, push } = setUp();
  for (let index = 0; index < 4; index += 1) await push(index, MAX_BYTES);
  assert.equal(await push(4, MAX_BYTES), false);
  intake.settle(sha(0), false);
  assert.equal(await push(4, MAX_BYTES), true);
  assert.equal(await push(5, MAX_BYTES), false);
  intake.settle(sha(1), true);
  named.add(sha(1));
  assert.equal(await push(5, MAX_BYTES), true);
});

test('a push still under way is not forgotten because another of the same file failed', async () => {
  const { intake, push } = setUp();
  for (let index = 0; index < 4; index += 1) await push(index, MAX_BYTES);
  await push(0, MAX_BYTES);
  intake.settle(sha(0), false);
  assert.equal(await push(4, MAX_BYTES), false);
});

test('many tiny files are bounded by their number', async () => {
  const { push } = setUp();
  for (let index = 0; index < 4096; index += 1) assert.equal(await push(index, 0), true);
  assert.equal(await push(4096, 0), false);
});

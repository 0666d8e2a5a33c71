import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from '../../../node/adapters.ts';
import { Joining } from '../../../node/membership/joining.ts';
import { succeed } from '../../../protocols/schema/outcome.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

test('a node that is let in and whose disk refuses to keep that asks again', async () => {
  const clock = new FakeClock();
  let admissions = 0;
  const joining = new Joining({
    mesh: {
      join: async () =>
        succeed({
          peer: 'a',
          tokenId: null,
          response: { type: 'admitted' as const, clusterId: 'c', members: [] },
        }),
    },
    self: () => ({ id: 'self', name: 'self', addresses: [], apiToken: null, mayVote: true }),
    targets: () => ['a:1'],
    isNeeded: () => admissions < 2,
    onAdmitted: async () => {
      admissions += 1;
      // A rejection that nobody handled would fail this test.
      if (admissions === 1) throw new Error('EIO');
    },
    clock,
    random: systemRandom,
    logger: silentLogger,
  });
  joining.later(0);
  for (let seconds = 0; seconds < 10; seconds++) {
    clock.advance(1_000);
    await settled();
  }
  assert.equal(admissions, 2);
  joining.stop();
});

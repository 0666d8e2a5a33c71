import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proposeTo, unavailable } from '../../../node/master/propose.ts';
import { succeed } from '../../../protocols/schema/outcome.ts';
import { silentLogger } from '../../support/silent-logger.ts';

test('what another node said at length is refused, and neither thrown nor put into the log', async () => {
  let proposed = 0;
  const consensus = {
    propose: async () => {
      proposed += 1;
      return succeed({ index: 1, term: 1, result: { ok: true } as const });
    },
  };
  const propose = proposeTo(consensus, { logger: silentLogger });
  const requeue = (reason: string) =>
    propose({ type: 'run-requeue', runId: 'r', attempt: 1, reason, atMs: 0 });
  const refused = await requeue('x'.repeat(65_537));
  assert.ok(!refused.ok && refused.error.code === 'INVALID');
  assert.match(refused.error.reason, /^"reason" must be/);
  assert.equal(unavailable(refused.error).error.code, 'UNPROCESSABLE');
  assert.equal(proposed, 0);
  assert.ok((await requeue('its node refused it')).ok);
});

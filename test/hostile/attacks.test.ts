/** Real daemons under attack by a stranger and by a member that turned: after each attack all is well with the others. */
import { test } from 'node:test';
import { ATTACKS } from './attacks.ts';
import { assertWell, prepare } from './battlefield.ts';

test('a cluster of three and one that means harm', async (t) => {
  await using stack = new AsyncDisposableStack();
  const field = await prepare(stack);
  await assertWell(field);
  for (const attack of ATTACKS) {
    await t.test(`${attack.name}: the others go on`, async () => {
      await attack.run(field);
      await assertWell(field);
    });
  }
});

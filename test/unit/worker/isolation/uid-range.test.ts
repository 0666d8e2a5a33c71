import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseUidRange } from '../../../../node/config/values.ts';
import { findTaken, UidPool } from '../../../../node/worker/isolation/uid-range.ts';

describe('a range of user ids', () => {
  test('is written FIRST-LAST, without the users of the system and nobody', () => {
    assert.deepEqual(parseUidRange(' 60800-61183 '), { ok: true, value: { first: 60_800, last: 61_183 } });
    assert.deepEqual(parseUidRange('70000-70000'), { ok: true, value: { first: 70_000, last: 70_000 } });
    const wrong = [
      '',
      '7',
      '0-99',
      '999-1001',
      '2-1',
      '65000-66000',
      '65534-65534',
      '4294967290-4294967295',
      'a-b',
    ];
    for (const text of [...wrong, '100000-200000', 7, null]) {
      const parsed = parseUidRange(text);
      assert.match(
        parsed.ok ? `took ${text}` : parsed.error,
        /^write the first and the last of at most 65536/,
      );
    }
  });

  test('is not free where users, groups or sub-ids of others lie', () => {
    const nobody = { users: 'root:x:0:0:root:/root:/bin/sh\n+::::::\n', groups: 'adm:x:4:\n', subIds: '' };
    const range = { first: 1000, last: 1009 };
    assert.equal(findTaken(range, nobody), null);
    const users = 'below:x:999:999::/:\nabove:x:1010:1010::/:\n';
    assert.equal(findTaken(range, { ...nobody, users, subIds: 'me:900:100\nyou:1010:65536\n' }), null);
    assert.equal(findTaken(range, { ...nobody, users: 'me:x:1009:0::/:\n' }), 'the user "me" (1009)');
    assert.equal(findTaken(range, { ...nobody, groups: 'us:x:1000:me\n' }), 'the group "us" (1000)');
    assert.equal(findTaken(range, { ...nobody, subIds: 'me:900:101\n' }), 'the sub-ids of "me" (from 900)');
    assert.equal(findTaken(range, { ...nobody, subIds: 'me:1005:2\n' }), 'the sub-ids of "me" (from 1005)');
  });

  test('is lent id by id, that first which was given back the longest ago', () => {
    const pool = new UidPool({ first: 5, last: 7 });
    assert.deepEqual([pool.take(), pool.take(), pool.take(), pool.take()], [5, 6, 7, null]);
    pool.give(6);
    pool.give(5);
    assert.equal(pool.size, 2);
    assert.deepEqual([pool.take(), pool.take(), pool.take()], [6, 5, null]);
  });
});

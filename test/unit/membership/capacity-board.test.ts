import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CapacityBoard } from '../../../node/membership/capacity-board.ts';
import type { CapacityNotice } from '../../../protocols/schema/capacity.ts';
import { domainOf, noticeOf } from '../../builders/nouns.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const FAR = Number.MAX_SAFE_INTEGER;
/** The last moment that a notice can name. */
const DOOMSDAY = 8_640_000_000_000_000;

function setUp() {
  const clock = new FakeClock();
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => warnings.push(message) };
  const board = new CapacityBoard({ clock, logger });
  const hear = (changes: Partial<CapacityNotice>): boolean => board.hear(noticeOf('a', changes));
  return { board, clock, hear, warnings };
}

test('a notice replaces the one before of the same start, and none that came later', () => {
  const { board, hear } = setUp();
  assert.equal(hear({ sequence: 5, startedAtMs: 100 }), true);
  assert.equal(hear({ sequence: 4, startedAtMs: 100 }), false);
  assert.equal(hear({ sequence: 5, startedAtMs: 100 }), false);
  assert.equal(hear({ sequence: 1, startedAtMs: 200 }), true, 'a restart');
  assert.equal(hear({ sequence: 9, startedAtMs: 100 }), false, 'of the start before');
  assert.equal(board.get('a')?.notice.startedAtMs, 200);
});

test('what a node said before it fell silent does not bring it back when somebody plays it again', () => {
  const { board, clock, hear } = setUp();
  hear({ sequence: 9, startedAtMs: 100 });
  hear({ sequence: 3, startedAtMs: 200 });
  clock.advance(60_000);
  assert.equal(hear({ sequence: 3, startedAtMs: 200 }), false, 'its last word');
  assert.equal(hear({ sequence: 2, startedAtMs: 200 }), false);
  assert.equal(hear({ sequence: 9, startedAtMs: 100 }), false, 'a start that is over');
  assert.deepEqual(board.fresh(5_000), []);
});

test('a number from the far future silences a node for some seconds only', () => {
  const { board, clock, hear } = setUp();
  assert.equal(hear({ sequence: FAR, startedAtMs: DOOMSDAY }), true);
  assert.equal(hear({ sequence: 1, startedAtMs: 300 }), false);
  clock.advance(5_001);
  assert.equal(hear({ sequence: 1, startedAtMs: 300 }), true, 'its clock may have been set back');
  assert.equal(hear({ sequence: 2, startedAtMs: 300 }), true);
  assert.equal(hear({ sequence: FAR, startedAtMs: DOOMSDAY }), false, 'that start is over');
  assert.equal(board.get('a')?.notice.sequence, 2);
});

test('a machine stays what it is until its daemon is started again, and one doubt is logged', () => {
  const { board, hear, warnings } = setUp();
  hear({ sequence: 1, domains: [domainOf({ ways: 16 })] });
  for (const [sequence, domain] of [
    domainOf({ ways: 64 }),
    domainOf({ wayBytes: 2 ** 40 }),
    domainOf({ cpus: [0, 1, 2, 3] }),
    domainOf({ id: 7 }),
  ].entries()) {
    assert.equal(hear({ sequence: 2 + sequence, domains: [domain] }), false, JSON.stringify(domain));
  }
  assert.equal(hear({ sequence: 9, domains: [domainOf(), domainOf({ id: 1 })] }), false, 'one more domain');
  assert.equal(warnings.length, 1);
  assert.equal(hear({ sequence: 10, domains: [domainOf({ freeWays: 3 })] }), true, 'what changes may change');
  assert.equal(hear({ sequence: 1, startedAtMs: 999, domains: [domainOf({ ways: 64 })] }), true, 'a restart');
  assert.equal(board.get('a')?.notice.domains[0]?.ways, 64);
});

test('who is no member any more is forgotten', () => {
  const { board, hear } = setUp();
  hear({ sequence: 5 });
  board.forget('a');
  assert.deepEqual([board.get('a'), board.fresh(5_000)], [undefined, []]);
});

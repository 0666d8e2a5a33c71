import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobKeeper } from '../../../node/store/blob-keeper.ts';
import { fail, succeed } from '../../../protocols/schema/outcome.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { assignment, finish, spec, TASK, tablesWithTask } from '../state/fixtures.ts';

const OUTPUT_SHA = 'b'.repeat(64);

function setUp(options: { readonly voters?: readonly string[]; readonly holders?: readonly string[] } = {}) {
  const { tables, apply } = tablesWithTask();
  const clock = new FakeClock();
  const stored = new Map<string, number>();
  const asked: string[] = [];
  const atMost = new Set<number>();
  const state = { caughtUp: true, broken: false };
  const keeper = new BlobKeeper(
    { maxBytes: 1000 },
    {
      self: 'self',
      tables,
      shelf: {
        has: async (sha256) => {
          if (state.broken) throw new Error('EIO');
          return stored.has(sha256);
        },
        list: async () => {
          if (state.broken) throw new Error('EIO');
          return [...stored].map(([sha256, storedAtMs]) => ({ sha256, storedAtMs }));
        },
        remove: async (sha256) => stored.delete(sha256),
      },
      mesh: {
        peers: () =>
          ['a', 'b', 'c'].map((id) => ({
            id,
            connected: id !== 'c',
            addresses: [],
            remoteAddress: null,
            rttMs: null,
            lastHeardAtMs: null,
            redial: null,
          })),
        fetchBlob: async (from, sha256, maxBytes) => {
          asked.push(from);
          atMost.add(maxBytes);
          if (!(options.holders ?? ['b']).includes(from))
            return fail({ code: 'REFUSED', message: 'not here' });
          stored.set(sha256, clock.nowMs());
          return succeed(undefined);
        },
      },
      configuration: () => ({ voters: options.voters ?? ['self', 'a', 'c'], learners: ['b'] }),
      caughtUp: () => state.caughtUp,
      clock,
      logger: silentLogger,
    },
  );
  return { keeper, apply, clock, stored, asked, atMost, state };
}

test('asks voters first, then whoever is connected; never who is away', async () => {
  const { keeper, asked } = setUp();
  assert.equal(await keeper.ensure(TASK.sha256), true);
  assert.deepEqual(asked, ['a', 'b']);
});

test('no member can send more than the tables say that the file has, or than this node takes at all', async () => {
  const { keeper, atMost } = setUp({ holders: ['a'] });
  await keeper.ensure(TASK.sha256);
  assert.deepEqual([...atMost], [TASK.size]);
  await keeper.ensure('c'.repeat(64));
  assert.deepEqual([...atMost], [TASK.size, 1000]);
});

test('two that want the same file fetch it once', async () => {
  const { keeper, asked } = setUp({ holders: ['a'] });
  assert.deepEqual(await Promise.all([keeper.ensure(TASK.sha256), keeper.ensure(TASK.sha256)]), [true, true]);
  assert.deepEqual(asked, ['a']);
});

test('a voter fetches by itself what the tables name; a learner does not', async () => {
  const voter = setUp({ holders: ['a'] });
  await voter.keeper.sweep();
  assert.deepEqual(voter.asked, [], 'not before it is started');
  voter.keeper.start();
  voter.clock.advance(10_000);
  await settled();
  assert.ok(voter.stored.has(TASK.sha256));
  const learner = setUp({ voters: ['a'], holders: ['a'] });
  learner.keeper.start();
  learner.clock.advance(10_000);
  await settled();
  assert.equal(learner.stored.size, 0);
});

test('removes what nothing has referred to for an hour, and only while the tables are known to be whole', async () => {
  const { keeper, apply, clock, stored, state } = setUp();
  const hour = 3_600_000;
  apply({ type: 'run-create', spec: spec('r'), assignment: assignment() });
  const done = finish('r');
  assert.ok(done.result);
  const blob = { kind: 'blob', sha256: OUTPUT_SHA, size: 1, truncated: false } as const;
  apply({ ...done, result: { ...done.result, stdout: blob } });
  for (const sha256 of [TASK.sha256, OUTPUT_SHA, 'old']) stored.set(sha256, clock.nowMs());
  clock.advance(hour + 1);
  stored.set('fresh', clock.nowMs());
  state.caughtUp = false;
  await keeper.collect();
  assert.equal(stored.size, 4);
  state.caughtUp = true;
  await keeper.collect();
  assert.deepEqual([...stored.keys()], [TASK.sha256, OUTPUT_SHA, 'fresh']);
});

test('goes on when the disk could not be read for a while', async () => {
  const { keeper, clock, stored, state } = setUp({ holders: ['a'] });
  keeper.start();
  state.broken = true;
  // A rejection that nobody handled would fail this test.
  clock.advance(600_000);
  await settled();
  assert.equal(stored.size, 0);
  state.broken = false;
  clock.advance(10_000);
  await settled();
  assert.ok(stored.has(TASK.sha256));
  keeper.stop();
});
